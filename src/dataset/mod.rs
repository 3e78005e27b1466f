//! Training datasets as their users have them: every format yields [`Sample`]s by row number.
