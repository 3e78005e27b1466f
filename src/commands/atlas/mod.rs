//! `madmix atlas`: one file per subcommand, and what they share.

pub(super) mod embed;
