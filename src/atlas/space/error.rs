//! What can be wrong with a space, and with a mixture that is said to be of it.

use thiserror::Error;

/// Why there is no such space, or a mixture is not of it.
#[derive(Debug, Error)]
pub enum SpaceError {
    /// There is nothing to mix.
    #[error("the grid has no cells: run `madmix atlas label` on data that has samples")]
    Empty,
    /// The grid's parts do not fit each other.
    #[error("the grid cannot be used: {0}; run `madmix atlas label` again")]
    Grid(String),
    /// A bound of something that there is not.
    #[error("[[atlas.search.bound]] of \"{name}\": the space \"{space}\" has no such {axes}{}", meant(nearest.as_deref()))]
    UnknownLevel {
        /// What was named.
        name: String,
        /// The space.
        space: String,
        /// What it has, such as `concept or task`.
        axes: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A bound whose name is that of a concept and of a task.
    #[error(
        "[[atlas.search.bound]] of \"{name}\" is a concept and a task: give one of them another name"
    )]
    Ambiguous {
        /// What was named.
        name: String,
    },
    /// A least share above the largest.
    #[error(
        "{axis} \"{level}\" has to have at least {min} and can have at most {max}: change its [[atlas.search.bound]], or atlas.search.max_epochs and budget"
    )]
    Crossed {
        /// The axis.
        axis: &'static str,
        /// The level.
        level: String,
        /// Its least share.
        min: f64,
        /// Its largest share.
        max: f64,
    },
    /// Σ min > 1.
    #[error("the least shares of all {axis}s sum to {sum:.6}, above 1: lower some `min`")]
    TooMuch {
        /// The axis.
        axis: &'static str,
        /// The sum.
        sum: f64,
    },
    /// Σ max < 1.
    #[error(
        "the largest shares of all {axis}s sum to {sum:.6}, below 1: raise some `max`, atlas.search.max_epochs, or lower atlas.search.budget; where small cells bind, the space \"joint\" leaves most room"
    )]
    TooLittle {
        /// The axis.
        axis: &'static str,
        /// The sum.
        sum: f64,
    },
    /// No product of shares keeps the bounds of both.
    #[error(
        "no mixture of the cells that exist keeps the [[atlas.search.bound]]s of concepts and of tasks at once (at best, {0}): loosen some"
    )]
    Bounds(Box<SpaceError>),
    /// No product of shares keeps the epochs.
    #[error(
        "no product of concept and task shares keeps every cell within atlas.search.max_epochs (at best, \"{cell}\" is seen {over:.2} times as often): raise max_epochs, lower budget, or search the space \"joint\""
    )]
    Caps {
        /// The cell that is over by most.
        cell: String,
        /// By what factor.
        over: f64,
    },
    /// A mixture of another number of shares.
    #[error("it has {found} shares, and the space \"{space}\" has {expected} cells")]
    Length {
        /// The space.
        space: String,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A share that is none.
    #[error("the share of \"{level}\" is {share}: it has to be a number of at least 0")]
    Share {
        /// Whose.
        level: String,
        /// The share.
        share: f64,
    },
    /// Shares that do not sum to 1.
    #[error("its shares sum to {sum}, and have to sum to 1 within 0.000001")]
    Sum {
        /// What they sum to.
        sum: f64,
    },
    /// A mixture that no point of the space gives.
    #[error(
        "it is not of the space \"{space}\": the nearest mixture of that space has {expected:.6} of \"{level}\", and it has {found:.6}"
    )]
    NotOfSpace {
        /// The space.
        space: String,
        /// The cell that differs by most.
        level: String,
        /// Its share in the nearest mixture of the space.
        expected: f64,
        /// Its share.
        found: f64,
    },
    /// A mixture that does not keep the bounds.
    #[error(
        "its share of {axis} \"{level}\" is {share:.6}, outside its bounds {min:.6} to {max:.6}"
    )]
    OutOfBounds {
        /// The axis.
        axis: &'static str,
        /// The level.
        level: String,
        /// Its share.
        share: f64,
        /// Its least share.
        min: f64,
        /// Its largest share.
        max: f64,
    },
    /// A mixture that names what the grid has not.
    #[error("it has a share of \"{name}\", which is no cell of the grid{}", meant(nearest.as_deref()))]
    UnknownCell {
        /// What it names.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A mixture that leaves a cell out.
    #[error("it has no share of the cell \"{name}\"; say 0 if it is to have none")]
    MissingCell {
        /// The cell.
        name: String,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; is \"{name}\" meant?"))
}
