//! `madmix run`: extract, solve, show the weights.

use anyhow::Result;

use super::make::Arguments;
use super::{Ending, extract, solve};

pub(super) fn run(arguments: &Arguments) -> Result<Ending> {
    let Some((session, store)) = extract::whole(arguments)? else {
        return Ok(Ending::Resumable);
    };
    let run = session.run(&store);
    let Some(aggregated) = run.aggregate()? else {
        return Ok(Ending::Resumable);
    };
    let solved = solve::solve(&run, &aggregated)?;
    solve::write(&solved, &session.config.output)?;
    solve::show(&solved)?;
    Ok(Ending::Done)
}
