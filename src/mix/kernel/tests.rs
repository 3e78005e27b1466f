use super::*;

/// Centroids as language models give them: large, with a common direction.
fn view(k: usize, d: usize, seed: usize) -> DMatrix<f64> {
    let noise = |i: usize, j: usize| {
        let mut mixed = (i * 7919 + j * 104_729 + seed * 1_299_709) as u64;
        mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed >> 40) as f64 / (1_u64 << 24) as f64 - 0.5
    };
    DMatrix::from_fn(k, d, |i, j| noise(0, j) * 3.0 + noise(i + 1, j))
}

fn delta(k: usize) -> DVector<f64> {
    DVector::from_fn(k, |i, _| 1.0 + f64::from(u8::from(i % 3 == 0)))
}

fn scaled<'a>(views: &[&'a DMatrix<f64>], factors: &[f64]) -> Vec<Scaled<'a>> {
    let pairs = views.iter().zip(factors);
    let scaled = pairs.map(|(&matrix, &factor)| Scaled { matrix, factor });
    scaled.collect()
}

/// K + λI by nalgebra, and its inverse.
fn plain(views: &[Scaled<'_>], lambda: f64) -> (Vec<DMatrix<f64>>, DMatrix<f64>) {
    let kernel =
        |view: &Scaled<'_>| view.matrix * view.matrix.transpose() * (view.factor * view.factor);
    let kernels: Vec<DMatrix<f64>> = views.iter().map(kernel).collect();
    let k = kernels[0].nrows();
    let sum: DMatrix<f64> = kernels.iter().sum();
    let inverse = (sum + DMatrix::identity(k, k) * lambda).try_inverse();
    (kernels, inverse.unwrap())
}

#[test]
fn small_and_large_systems_equal_the_equations() {
    // By domains and by columns, with one block and with several, with widths that cut blocks in two.
    for (k, widths) in [
        (1, [3, 2]),
        (7, [2, 3]),
        (40, [60, 33]),
        (300, [200, 190]),
        (700, [70, 141]),
        (390, [130, 256]),
    ] {
        let [a, b] = widths.map(|d| view(k, d, d));
        let views = scaled(&[&a, &b], &[1.0, 0.25]);
        let delta = delta(k);
        for lambda in [10.0, 1000.0] {
            let system = System::of(views.clone());
            let by_columns = matches!(system.product, Product::Columns(_));
            assert_eq!(by_columns, widths.iter().sum::<usize>() < k);
            let (kernels, inverse) = plain(&views, lambda);
            let alpha = &inverse * &delta;
            let coupled = system.solve(&delta, lambda).unwrap();
            assert!((&coupled.alpha - &alpha).amax() < 1e-10, "{k} {lambda}");
            let leverages = system.leverages(lambda).unwrap();
            for (v, kernel) in kernels.iter().enumerate() {
                assert!((&coupled.scores[v] - kernel * &alpha).amax() < 1e-9);
                let leverage = (kernel * &inverse).diagonal();
                assert!((&leverages[v] - leverage).amax() < 1e-10, "{k} {lambda}");
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let [a, b] = [view(600, 150, 1), view(600, 170, 2)];
    let [wide_a, wide_b] = [view(400, 300, 3), view(400, 310, 4)];
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let mut bits = Vec::new();
            for views in [[&a, &b], [&wide_a, &wide_b]] {
                let system = System::new(views, Scaling::UnitTrace);
                let coupled = system.solve(&delta(views[0].nrows()), 0.1).unwrap();
                let leverages = system.leverages(0.1).unwrap();
                let values = coupled.scores.into_iter().chain([coupled.alpha]);
                let values: Vec<DVector<f64>> = values.chain(leverages).collect();
                bits.extend(values.iter().flatten().map(|value| value.to_bits()));
            }
            bits
        })
    };
    let one = on(1);
    for threads in [2, 3, 7] {
        assert!(on(threads) == one, "{threads} threads");
    }
}

#[test]
fn a_spectrum_is_that_of_the_kernel_from_either_side() {
    for (k, widths) in [(9, [6, 8]), (30, [4, 5])] {
        let [a, b] = widths.map(|d| view(k, d, d + 1));
        let (views, delta) = (scaled(&[&a, &b], &[1.0, 0.5]), delta(k));
        let system = System::of(views.clone());
        let lines = system.spectrum(&delta, 2.0, 100);
        let kernel: DMatrix<f64> = plain(&views, 1.0).0.iter().sum();
        assert_eq!(lines.len(), 9);
        assert!(lines.is_sorted_by(|a, b| a.eigenvalue >= b.eigenvalue));
        let eigen = kernel.clone().symmetric_eigen();
        let mut expected: Vec<(f64, f64)> = eigen
            .eigenvalues
            .iter()
            .zip(eigen.eigenvectors.column_iter())
            .map(|(value, vector)| (*value, vector.dot(&delta).powi(2) / delta.norm_squared()))
            .collect();
        expected.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (line, (eigenvalue, share)) in lines.iter().zip(expected) {
            assert!((line.eigenvalue - eigenvalue).abs() < 1e-10 * kernel.norm());
            assert!((line.filter - eigenvalue / (eigenvalue + 2.0)).abs() < 1e-9);
            assert!((line.delta - share).abs() < 1e-8, "{} {share}", line.delta);
        }
        assert!(system.spectrum(&delta, 2.0, 8).is_empty());
    }
}

#[test]
fn a_matrix_that_is_not_positive_definite_has_no_factor() {
    for n in [3, 200] {
        let mut matrix = DMatrix::identity(n, n);
        matrix[(n - 1, n - 1)] = -1.0;
        assert!(Factor::new(matrix).is_none(), "{n}");
    }
}

#[test]
fn softmax_survives_scores_whose_powers_overflow() {
    let scores = DVector::from_vec(vec![2000.0, 2000.0, -2000.0]);
    assert_eq!(softmax(&scores, 1.0), [0.5, 0.5, 0.0]);
    assert_eq!(softmax(&scores, 1e-308), [0.5, 0.5, 0.0]);
    assert_eq!(softmax(&scores, 1e300), [1.0 / 3.0; 3]);
    let over = softmax_over(&scores, &[false, true, true], 4000.0);
    let e = 1_f64.exp();
    assert!(over[0] == 0.0);
    assert!((over[1] - e / (1.0 + e)).abs() < 1e-15);
}

#[test]
fn a_kernel_that_overflows_is_an_error() {
    let x = DMatrix::from_element(3, 4, 1e200);
    for scaling in [Scaling::None, Scaling::UnitTrace] {
        let system = System::new([&x], scaling);
        let solved = system.solve(&DVector::from_element(3, 1.0), 10.0);
        assert!(matches!(solved, Err(MixError::Unsolvable { .. })));
    }
}
