use super::*;
use crate::atlas::search::Rule;
use crate::atlas::testing::PlainGp;

fn read(mixtures: &str, metrics: &str) -> Result<Table, TableError> {
    let out = tempfile::tempdir().unwrap();
    let [a, b] = ["mixtures.csv", "metrics.csv"].map(|name| out.path().join(name));
    fs_err::write(&a, mixtures).unwrap();
    fs_err::write(&b, metrics).unwrap();
    Table::read(&a, &b)
}

#[test]
fn rows_are_matched_by_their_first_column() {
    let table = read(
        "index,a,b\n1,0.5,0.5\n2,0.301,0.7\n9,1,0\n",
        "index,metric/x_loss,metric/y_loss\n2,0.25,1e-1\n1,3,4\n",
    )
    .unwrap();
    assert_eq!(table.names, ["a", "b"]);
    assert_eq!(table.points.len(), 2);
    assert!((table.points[1].iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(table.metric("metric/y_loss").unwrap(), [4.0, 0.1]);
    assert_eq!(table.metric("x").unwrap(), [3.0, 0.25]);
    let error = table.metric("loss").unwrap_err().to_string();
    assert!(error.contains("metric/x_loss, metric/y_loss"), "{error}");
}

#[test]
fn what_is_no_table_is_told_by_its_line() {
    let metrics = "i,m\n1,2\n";
    for (mixtures, metrics, words) in [
        ("", metrics, "mixtures.csv: it is empty"),
        ("i\n1\n", metrics, "name the columns"),
        ("i,a,b\n1,0.5,0.6\n", metrics, "line 2: shares have to be"),
        ("i,a,b\n1,1.5,-0.5\n", metrics, "line 2: shares"),
        (
            "i,a,b\n\n1,0.5\n",
            metrics,
            "line 3: it has 1 values, and there are 2",
        ),
        ("i,a,b\n1,0.5,x\n", metrics, "`x` is no finite number"),
        ("i,a\n1,1\n", "i,m\n1,nan\n", "metrics.csv, line 2: `nan`"),
        ("i,a\n1,1\n1,1\n", metrics, "run `1` is there twice"),
        ("i,a\n7,1\n", metrics, "no row has a result"),
    ] {
        let error = read(mixtures, metrics).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// Forty mixtures of three, of which those near (0.2, 0.5, 0.3) are best.
fn known() -> Table {
    let mut chance = Chance::new(3);
    let points: Vec<Vec<f64>> = (0..40)
        .map(|_| chance.dirichlet(&[1.0 / 3.0; 3], 3.0))
        .collect();
    let loss = |point: &Vec<f64>| {
        let apart = point.iter().zip([0.2, 0.5, 0.3]);
        1.0 + apart.map(|(a, b)| (a - b).powi(2)).sum::<f64>()
    };
    Table {
        names: ["a", "b", "c"].map(String::from).to_vec(),
        metrics: BTreeMap::from([("loss".to_owned(), points.iter().map(loss).collect())]),
        points,
    }
}

fn replay() -> Replay {
    Replay {
        metric: "loss".into(),
        goal: Goal::Min,
        starts: 5,
        runs: 40,
        seeds: 12,
        within: 0.005,
    }
}

static PLAIN: SurrogateEntry = SurrogateEntry {
    name: "plain",
    summary: "for tests",
    fit: &PlainGp,
};

#[test]
fn a_search_needs_fewer_runs_than_chance_and_both_see_every_row_once() {
    let table = known();
    let of = |surrogate, rule| replay().run(&table, Strategy { surrogate, rule }).unwrap();
    let learnt = of(Some(&PLAIN), Rule::Ucb);
    let drawn = of(None, Rule::Random);
    let sum = |found: &Replayed| -> usize { found.needed.iter().map(|n| n.unwrap()).sum() };
    assert!(sum(&learnt) < sum(&drawn), "{learnt:?} {drawn:?}");
    for found in [&learnt, &drawn] {
        assert_eq!(found.regret.len(), 40);
        assert!(found.regret[39].iter().all(|regret| regret.abs() < 1e-300));
    }
    // The start is the same.
    assert_eq!(learnt.regret[..5], drawn.regret[..5]);
    assert!(
        learnt
            .seen
            .iter()
            .zip(&drawn.seen)
            .all(|(a, b)| a[..5] == b[..5])
    );
    assert_eq!(learnt, of(Some(&PLAIN), Rule::Ucb));
}

#[test]
fn what_never_comes_near_has_no_quartiles() {
    let found = Replayed {
        needed: vec![Some(3), None, Some(5), None],
        regret: Vec::new(),
        seen: Vec::new(),
    };
    assert_eq!(found.quartiles(), [Some(5), None, None]);
}

#[test]
fn too_few_rows_are_an_error() {
    let table = known();
    let replay = Replay {
        starts: 40,
        ..replay()
    };
    let strategy = Strategy {
        surrogate: None,
        rule: Rule::Random,
    };
    let error = replay.run(&table, strategy).unwrap_err().to_string();
    assert!(error.contains("40 runs, too few"), "{error}");
}
