use super::*;
use crate::atlas::Grid;
use crate::atlas::chance::Chance;
use crate::atlas::testing::grid;
use crate::config::{Bound, Search, SpaceName};

fn search(space: SpaceName) -> Search {
    Search {
        space,
        ..Search::default()
    }
}

fn bound(of: &str, min: f64, max: f64) -> Bound {
    Bound {
        of: of.into(),
        min,
        max,
    }
}

fn space(search: &Search) -> Space {
    Space::searched(&grid(), search).unwrap().swap_remove(0)
}

fn error(search: &Search) -> String {
    Space::searched(&grid(), search).unwrap_err().to_string()
}

fn draw(space: &Space, chance: &mut Chance) -> Vec<f64> {
    space.draw(space.size_point(), 0.7, chance)
}

#[test]
fn points_give_mixtures_as_the_paper_says() {
    // The grid has chart × ocr, chart × vqa, photo × caption and photo × vqa.
    let concept = space(&search(SpaceName::Concept));
    assert_eq!(concept.weights(&[0.6, 0.4]), [0.3, 0.3, 0.2, 0.2]);
    let task = space(&search(SpaceName::Task));
    assert_eq!(task.simplexes()[0].levels, ["ocr", "caption", "vqa"]);
    assert_eq!(task.weights(&[0.5, 0.1, 0.4]), [0.5, 0.2, 0.1, 0.2]);
    let product = space(&search(SpaceName::Product));
    // 0.5 × (0.5, 0.25, 0.25, 0.25), of which 0.625 exists.
    let weights = product.weights(&[0.5, 0.5, 0.5, 0.25, 0.25]);
    for (weight, expected) in weights.iter().zip([0.4, 0.2, 0.2, 0.2]) {
        assert!((weight - expected).abs() < 1e-12, "{weights:?}");
    }
    // A concept and a task that share no cell.
    let weights = product.weights(&[0.0, 1.0, 1.0, 0.0, 0.0]);
    assert!(
        (weights.iter().sum::<f64>() - 1.0).abs() < 1e-12 && weights[1] < 1e-6,
        "{weights:?}"
    );
}

#[test]
fn a_mixture_leads_back_to_its_point() {
    let mut chance = Chance::new(1);
    for name in [
        SpaceName::Concept,
        SpaceName::Task,
        SpaceName::Product,
        SpaceName::Joint,
    ] {
        let space = space(&search(name));
        for _ in 0..20 {
            let weights = space.weights(&draw(&space, &mut chance));
            let back = space.weights(&space.point_of(&weights).unwrap());
            assert!(
                distance(&weights, &back) < 1e-6,
                "{name:?}: {weights:?} {back:?}"
            );
        }
    }
}

#[test]
fn what_is_no_mixture_of_the_space_is_refused() {
    let joint = space(&Search {
        bounds: vec![bound("photo × vqa", 0.1, 0.5)],
        ..search(SpaceName::Joint)
    });
    for (weights, word) in [
        (&[0.5, 0.5][..], "2 shares"),
        (&[0.5, 0.2, 0.2, 0.2], "sum to 1."),
        (&[1.5, -0.5, 0.0, 0.0], "\"chart × vqa\" is -0.5"),
        (&[f64::NAN, 0.5, 0.3, 0.2], "NaN"),
    ] {
        let error = joint.point_of(weights).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    assert!(joint.point_of(&[0.25, 0.25, 0.25, 0.250_000_9]).is_ok());
    // Bounds are of what is proposed: a run that was made elsewhere need not keep them.
    let beyond = joint.point_of(&[0.3, 0.4, 0.3, 0.0]).unwrap();
    let error = joint.check_bounds(&beyond).unwrap_err().to_string();
    assert!(error.contains("\"photo × vqa\""), "{error}");
    let concept = space(&search(SpaceName::Concept));
    let error = concept.point_of(&[0.4, 0.1, 0.25, 0.25]).unwrap_err();
    assert!(error.to_string().contains("\"concept\""), "{error}");
    let named = [("chart × ocr", 0.5), ("foto × vqa", 0.5)];
    let error = joint.in_order(named).unwrap_err().to_string();
    assert!(error.contains("is \"photo × vqa\" meant?"), "{error}");
    let error = joint.in_order([("chart × ocr", 1.0)]).unwrap_err();
    assert!(error.to_string().contains("no share of"), "{error}");
}

#[test]
fn bounds_hold_for_whatever_is_drawn() {
    let mut chance = Chance::new(2);
    for (name, bounds, epochs) in [
        (SpaceName::Joint, vec![bound("chart × ocr", 0.2, 0.3)], 2.0),
        (SpaceName::Concept, vec![bound("photo", 0.4, 0.9)], 3.0),
        (SpaceName::Product, vec![bound("ocr", 0.1, 0.9)], 1.5),
    ] {
        let search = Search {
            budget: Some(1000),
            max_epochs: Some(epochs),
            bounds,
            ..search(name)
        };
        let space = space(&search);
        for _ in 0..100 {
            let point = draw(&space, &mut chance);
            space.check_bounds(&point).unwrap();
            for (cell, weight) in grid().cells.iter().zip(space.weights(&point)) {
                let seen = cell.epochs(weight, 1000);
                assert!(seen <= epochs * 1.000_001, "{name:?}: {} {seen}", cell.name);
            }
        }
    }
}

/// The cells ax, ay and bx: a product has to do without by.
fn corner() -> Grid {
    let mut corner = grid();
    corner.concepts = vec!["a".into(), "b".into()];
    corner.tasks = vec!["x".into(), "y".into()];
    corner.cells.truncate(3);
    let cells = [("ax", 0, 0, 0.4), ("ay", 0, 1, 0.3), ("bx", 1, 0, 0.3)];
    for (cell, (name, concept, task, today)) in corner.cells.iter_mut().zip(cells) {
        (cell.name, cell.concept, cell.task, cell.today) = (name.into(), concept, task, today);
    }
    corner
}

#[test]
fn bounds_of_a_product_are_of_what_its_mixture_has() {
    let mut chance = Chance::new(6);
    for bounds in [
        vec![bound("b", 0.5, 0.6)],
        vec![bound("a", 0.2, 0.4), bound("y", 0.15, 1.0)],
        vec![bound("b", 0.0, 0.1), bound("x", 0.0, 0.3)],
    ] {
        let search = Search {
            bounds: bounds.clone(),
            ..search(SpaceName::Product)
        };
        let space = Space::searched(&corner(), &search).unwrap().swap_remove(0);
        let (mut least, mut most) = (f64::MAX, f64::MIN);
        for i in 0..200 {
            let point = match i {
                0 => space.today_point().to_vec(),
                1 => space.size_point().to_vec(),
                2 => space.uniform_point(),
                _ => draw(&space, &mut chance),
            };
            let weights = space.weights(&point);
            let share = |of: &str| match of {
                "a" => weights[0] + weights[1],
                "b" => weights[2],
                "x" => weights[0] + weights[2],
                _ => weights[1],
            };
            for Bound { of, min, max } in &bounds {
                let share = share(of);
                assert!(min - 1e-8 <= share && share <= max + 1e-8, "{of} {share}");
            }
            least = least.min(share(&bounds[0].of));
            most = most.max(share(&bounds[0].of));
            let mut again = point.clone();
            space.admit(&mut again);
            assert!(space.distance(&point, &again) < 1e-8);
        }
        // The room that there is is used.
        assert!(most - least > 0.09, "{least} {most}");
    }
    // b has at most what x has.
    let search = Search {
        bounds: vec![bound("b", 0.5, 1.0), bound("x", 0.0, 0.4)],
        ..search(SpaceName::Product)
    };
    let error = Space::searched(&corner(), &search).unwrap_err().to_string();
    assert!(
        error.contains("of concepts and of tasks at once"),
        "{error}"
    );
    let sequential = Search {
        space: SpaceName::Sequential,
        ..search
    };
    assert!(Space::searched(&corner(), &sequential).is_err());
}

#[test]
fn bounds_that_cannot_be_are_said_early() {
    let with = |name, bounds| Search {
        bounds,
        ..search(name)
    };
    let capped = |name, epochs| Search {
        budget: Some(1000),
        max_epochs: Some(epochs),
        ..search(name)
    };
    for (search, word) in [
        (
            with(SpaceName::Joint, vec![bound("chart x ocr", 0.1, 1.0)]),
            "is \"chart × ocr\" meant?",
        ),
        (
            with(SpaceName::Joint, vec![bound("chart", 0.1, 1.0)]),
            "no such cell",
        ),
        (
            with(SpaceName::Concept, vec![bound("ocr", 0.1, 1.0)]),
            "no such concept",
        ),
        (
            with(
                SpaceName::Concept,
                vec![bound("chart", 0.6, 1.0), bound("photo", 0.6, 1.0)],
            ),
            "1.2",
        ),
        (
            with(
                SpaceName::Concept,
                vec![bound("chart", 0.0, 0.3), bound("photo", 0.0, 0.3)],
            ),
            "0.6",
        ),
        (capped(SpaceName::Joint, 0.5), "max_epochs"),
        (capped(SpaceName::Product, 0.9), "times as often"),
    ] {
        let error = error(&search);
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn sequential_is_concepts_and_then_tasks() {
    let both = Search {
        bounds: vec![bound("ocr", 0.0, 0.5), bound("chart", 0.1, 1.0)],
        ..search(SpaceName::Sequential)
    };
    let spaces = Space::searched(&grid(), &both).unwrap();
    let names: Vec<&str> = spaces.iter().map(Space::name).collect();
    assert_eq!(names, ["concept", "task"]);
    assert_eq!(spaces[0].simplexes()[0].min, [0.1, 0.0]);
    assert_eq!(spaces[1].simplexes()[0].max, [0.5, 1.0, 1.0]);
}

#[test]
fn todays_point_has_todays_levels() {
    let concept = space(&search(SpaceName::Concept));
    for (share, expected) in concept.today_point().iter().zip([0.3, 0.7]) {
        assert!((share - expected).abs() < 1e-12);
    }
    let joint = space(&search(SpaceName::Joint));
    assert_eq!(joint.weights(joint.today_point()), joint.today());
}

#[test]
fn levels_without_cells_are_left_out() {
    let mut sparse = grid();
    sparse.concepts.insert(0, "empty".into());
    for cell in &mut sparse.cells {
        cell.concept += 1;
    }
    let spaces = Space::searched(&sparse, &search(SpaceName::Concept)).unwrap();
    assert_eq!(spaces[0].simplexes()[0].levels, ["chart", "photo"]);
    assert_eq!(spaces[0].weights(&[0.6, 0.4]), [0.3, 0.3, 0.2, 0.2]);
    sparse.cells[0].task = 9;
    assert!(Space::searched(&sparse, &Search::default()).is_err());
    assert!(Space::searched(&Grid::default(), &Search::default()).is_err());
}
