//! The words whose vectors are nearest to the centres.

use super::super::kmeans::Vectors;
use super::unique;

/// A name for each centre out of `words`, each word once as long as there are enough.
///
/// Pictures and words of such a model lie in two cones, and a general word is near to all pictures: so what counts is how
/// much nearer a word is to a centre than to the centres on average. The pair of centre and word with the largest margin
/// is taken first, then the largest of those that are left.
pub fn nearest_words(centres: Vectors<'_>, vectors: Vectors<'_>, words: &[String]) -> Vec<String> {
    let count = centres.len();
    let product = |cluster: usize, word: usize| -> f64 {
        let pairs = centres.get(cluster).iter().zip(vectors.get(word));
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let words = &words[..words.len().min(vectors.len())];
    let mut pairs = Vec::with_capacity(count * words.len());
    for word in 0..words.len() {
        let products: Vec<f64> = (0..count).map(|cluster| product(cluster, word)).collect();
        // One centre has no others to be told from.
        let mean = if count > 1 {
            products.iter().sum::<f64>() / count as f64
        } else {
            0.0
        };
        let margins = products.into_iter().enumerate();
        pairs.extend(margins.map(|(cluster, product)| (product - mean, cluster, word)));
    }
    // Stable, so that equal margins keep the order of the list.
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut names: Vec<Option<usize>> = vec![None; count];
    let mut used = vec![false; words.len()];
    let mut named = 0;
    while named < count && !words.is_empty() {
        for (_, cluster, word) in &pairs {
            if names[*cluster].is_none() && !used[*word] {
                names[*cluster] = Some(*word);
                used[*word] = true;
                named += 1;
            }
        }
        // More centres than words: words are taken again.
        used.fill(false);
    }
    let name = |(cluster, word): (usize, Option<usize>)| match word {
        Some(word) => words[word].clone(),
        None => format!("cluster {}", cluster + 1),
    };
    unique(names.into_iter().enumerate().map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(centres: &[[f32; 3]], vectors: &[[f32; 3]], words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        nearest_words(
            Vectors::new(centres.as_flattened(), 3),
            Vectors::new(vectors.as_flattened(), 3),
            &words,
        )
    }

    #[test]
    fn a_word_that_is_near_to_all_names_none() {
        let centres = [[0.9, 0.4, 0.0], [0.9, 0.0, 0.4]];
        let vectors = [[1.0, 0.0, 0.0], [0.5, 0.3, 0.0], [0.5, 0.0, 0.3]];
        assert_eq!(
            name(&centres, &vectors, &["picture", "chart", "photo"]),
            ["chart", "photo"]
        );
        assert_eq!(
            name(&centres[..1], &vectors, &["picture", "chart", "photo"]),
            ["picture"]
        );
    }

    #[test]
    fn names_differ_where_words_are_too_few() {
        let centres = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let vectors = [[1.0, 0.0, 0.0]];
        assert_eq!(name(&centres, &vectors, &["a"]), ["a", "a 2", "a 3"]);
        assert_eq!(
            name(&centres, &[], &[]),
            ["cluster 1", "cluster 2", "cluster 3"]
        );
    }
}
