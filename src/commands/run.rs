//! `madmix run`: extract, solve, show the weights.

use anyhow::Result;

use super::extract::Arguments;
use super::{Ending, extract, solve};

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let Some((session, centroids)) = extract::whole(arguments)? else {
        return Ok(Ending::Resumable);
    };
    let mixture = solve::mixture(&centroids, &session.config.mix)?;
    solve::write(&mixture, &session.config.output)?;
    solve::show(&mixture)?;
    Ok(Ending::Done)
}
