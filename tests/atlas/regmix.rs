//! The runs that `RegMix` published: 512 to learn from and 256 held out, of 17 shares and 13 losses each.

use madmix::atlas::surrogate::Observations;

pub(crate) struct Table {
    /// The losses, `pile_cc` and others.
    pub(crate) names: Vec<String>,
    points: Vec<Vec<f64>>,
    losses: Vec<Vec<f64>>,
    /// Mixtures that were held out `[m][d]`.
    pub(crate) held_out: Vec<Vec<f64>>,
    /// By loss `[13][m]`.
    pub(crate) held_out_losses: Vec<Vec<f64>>,
}

impl Table {
    pub(crate) fn read() -> Self {
        let (_, points) = read("train_mixture_1m.csv");
        let (names, losses) = read("train_pile_loss_1m.csv");
        let (_, held_out) = read("test_mixture_1m.csv");
        let (_, held_out_losses) = read("test_pile_loss_1m.csv");
        let short = |name: String| {
            let name = name.replace("metric/the_pile_", "");
            name.replace("_val_loss", "")
        };
        Self {
            held_out_losses: (0..names.len())
                .map(|loss| held_out_losses.iter().map(|run| run[loss]).collect())
                .collect(),
            names: names.into_iter().map(short).collect(),
            points: points.into_iter().map(normalised).collect(),
            losses,
            held_out: held_out.into_iter().map(normalised).collect(),
        }
    }

    pub(crate) fn loss(&self, name: &str) -> usize {
        self.names.iter().position(|found| found == name).unwrap()
    }

    pub(crate) fn observations(&self, runs: &[usize], loss: usize) -> Observations {
        Observations {
            points: runs.iter().map(|run| self.points[*run].clone()).collect(),
            values: runs.iter().map(|run| self.losses[*run][loss]).collect(),
        }
    }
}

/// Header and rows, without the number of the run.
fn read(name: &str) -> (Vec<String>, Vec<Vec<f64>>) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/atlas/regmix");
    let text = fs_err::read_to_string(format!("{folder}/{name}")).unwrap();
    let mut lines = text.lines();
    let header = lines.next().unwrap().split(',').skip(1);
    let row = |line: &str| {
        line.split(',')
            .skip(1)
            .map(|x| x.parse().unwrap())
            .collect()
    };
    (header.map(String::from).collect(), lines.map(row).collect())
}

/// Proportions are rounded to three places.
fn normalised(mut point: Vec<f64>) -> Vec<f64> {
    let sum: f64 = point.iter().sum();
    for share in &mut point {
        *share /= sum;
    }
    point
}

/// Spearman's rank correlation of values without ties.
pub(crate) fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let ranks = |values: &[f64]| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|i, j| values[*i].total_cmp(&values[*j]));
        let mut ranks = vec![0.0; values.len()];
        for (rank, i) in order.into_iter().enumerate() {
            ranks[i] = rank as f64;
        }
        ranks
    };
    let (a, b) = (ranks(a), ranks(b));
    let n = a.len() as f64;
    let squares: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
    1.0 - 6.0 * squares / (n * (n * n - 1.0))
}
