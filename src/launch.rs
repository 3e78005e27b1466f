//! Which share of the work is this process's: said on the command line, or found from the engine that started it.
//!
//! | engine | index | count | on this machine |
//! |---|---|---|---|
//! | by hand | `--rank`, `MADMIX_RANK` | `--ranks`, `MADMIX_RANKS` | `LOCAL_RANK` |
//! | torchrun | `RANK` | `WORLD_SIZE` | `LOCAL_RANK` |
//! | srun, told by `SLURM_STEP_ID` | `SLURM_PROCID` | `SLURM_STEP_NUM_TASKS` | `SLURM_LOCALID` |
//! | Slurm array | (`SLURM_ARRAY_TASK_ID` − `_MIN`) / `_STEP` | (`_MAX` − `_MIN`) / `_STEP` + 1 | |
//! | Kubernetes Indexed Job | `JOB_COMPLETION_INDEX` | `--ranks`, `MADMIX_RANKS` | |
//!
//! The first that is there counts; torchrun and srun inside a Slurm array divide the share of their array task further.
//! A batch script that runs the program without srun has `SLURM_PROCID` and `SLURM_NTASKS` too, but is one process:
//! hence the step's variables only. An array with holes, such as `--array=3,5`, does not say which place among its tasks
//! one has: each of its tasks goes through all that is missing, in an order of its own.
//!
//! A rank only chooses among the missing shards, so every choice ends in the same files, and a wrong one costs time only.
//! Which shards are whose is dealt anew for every job: what one rank left undone is then spread over all ranks of the next
//! job, and stays one rank's work where that is requeued.

use std::fmt;

use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

/// Reads a variable of the environment.
type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The share of the work that a process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which of the ranks this is, from 0.
    pub rank: u64,
    /// How many ranks there are.
    pub ranks: u64,
    /// Which of the ranks on this machine this is, where several may share its devices.
    pub local_rank: Option<usize>,
    /// Whether nobody may be there for some of the ranks.
    pub holes: bool,
    /// The job that the ranks belong to, where its engine names it.
    pub job: Option<String>,
    /// Who said so.
    pub said_by: SaidBy,
}

/// Where a share was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaidBy {
    /// Nobody: one process does all.
    Nobody,
    /// The command line, or `MADMIX_RANK` and `MADMIX_RANKS`.
    Hand,
    /// torchrun, or another that sets `RANK` and `WORLD_SIZE`.
    Torchrun,
    /// srun.
    Srun,
    /// A Slurm array.
    SlurmArray,
    /// srun in each task of a Slurm array.
    SrunInArray,
    /// torchrun in each task of a Slurm array.
    TorchrunInArray,
    /// A Kubernetes Indexed Job.
    Kubernetes,
}

/// Why no share can be told.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LaunchError {
    /// One of the two is missing.
    #[error("{0}")]
    Incomplete(&'static str),
    /// An index that is not below the count.
    #[error("rank {rank} of {ranks} ({said_by}): ranks count from 0, so the last is {}", ranks.saturating_sub(1))]
    OutOfRange {
        /// The index.
        rank: u64,
        /// The count.
        ranks: u64,
        /// Who said so.
        said_by: SaidBy,
    },
    /// A variable that is no number.
    #[error(
        "the environment variable {name} is {value:?}, which is no number; unset it, or pass --rank and --ranks"
    )]
    NotANumber {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
    },
}

impl fmt::Display for SaidBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "alone",
            Self::Hand => "as told",
            Self::Torchrun => "from torchrun's RANK and WORLD_SIZE",
            Self::Srun => "from srun",
            Self::SlurmArray => "from the Slurm array",
            Self::SrunInArray => "from the Slurm array, and srun in each of its tasks",
            Self::TorchrunInArray => "from the Slurm array, and torchrun in each of its tasks",
            Self::Kubernetes => "from the Kubernetes Indexed Job",
        })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rank,
            ranks,
            said_by,
            ..
        } = self;
        if self.holes {
            return write!(
                f,
                "rank {rank} of up to {ranks}, {said_by}, which has holes: whatever is missing is this one's work"
            );
        }
        write!(f, "rank {rank} of {ranks}, {said_by}")
    }
}

impl Share {
    /// All of the work.
    pub fn whole() -> Self {
        Self {
            rank: 0,
            ranks: 1,
            local_rank: None,
            holes: false,
            job: None,
            said_by: SaidBy::Nobody,
        }
    }

    /// Whether other processes may be at work on the same.
    pub fn is_whole(&self) -> bool {
        self.ranks == 1 && !self.holes
    }

    /// Finds the share from what the command line says and what the environment does.
    ///
    /// # Errors
    /// When one of rank and ranks is missing, or they contradict each other.
    pub fn find(
        rank: Option<u64>,
        ranks: Option<u64>,
        variable: Variables<'_>,
    ) -> Result<Self, LaunchError> {
        let rank = rank.map_or_else(|| number("MADMIX_RANK", variable), |rank| Ok(Some(rank)))?;
        let ranks =
            ranks.map_or_else(|| number("MADMIX_RANKS", variable), |ranks| Ok(Some(ranks)))?;
        let share = match (rank, ranks) {
            (Some(rank), Some(ranks)) => {
                Place { rank, ranks }.share(SaidBy::Hand, local_rank(variable)?)
            }
            (Some(_), None) => {
                return Err(LaunchError::Incomplete(
                    "--rank (or MADMIX_RANK) needs --ranks (or MADMIX_RANKS): the number of ranks",
                ));
            }
            (None, Some(ranks)) => match number("JOB_COMPLETION_INDEX", variable)? {
                Some(rank) => Place { rank, ranks }.share(SaidBy::Kubernetes, None),
                None => {
                    return Err(LaunchError::Incomplete(
                        "--ranks (or MADMIX_RANKS) needs --rank (or MADMIX_RANK): which of them this is",
                    ));
                }
            },
            (None, None) => Self::of_engine(variable)?,
        };
        let Self {
            rank,
            ranks,
            said_by,
            ..
        } = share;
        if rank >= ranks {
            return Err(LaunchError::OutOfRange {
                rank,
                ranks,
                said_by,
            });
        }
        Ok(share)
    }

    fn of_engine(variable: Variables<'_>) -> Result<Self, LaunchError> {
        let local = local_rank(variable)?;
        let array = array(variable)?;
        let world = pair("RANK", "WORLD_SIZE", variable)?;
        let inner = if let Some(world) = world.filter(|_| variable("TORCHELASTIC_RUN_ID").is_some())
        {
            Some((world, SaidBy::Torchrun, SaidBy::TorchrunInArray))
        } else if variable("SLURM_STEP_ID").is_some() {
            let step = pair("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", variable)?;
            step.map(|step| (step, SaidBy::Srun, SaidBy::SrunInArray))
        } else {
            None
        };
        let job = variable("SLURM_ARRAY_JOB_ID")
            .or_else(|| variable("SLURM_JOB_ID"))
            .filter(|_| inner.is_some() || array.is_some());
        let share = match (inner, array) {
            (Some((step, _, in_array)), Some((task, holes))) if step.ranks > 1 => {
                let place = Place {
                    rank: task.rank * step.ranks + step.rank,
                    ranks: task.ranks * step.ranks,
                };
                Self {
                    holes,
                    ..place.share(in_array, local)
                }
            }
            (_, Some((task, holes))) => Self {
                holes,
                ..task.share(SaidBy::SlurmArray, None)
            },
            (Some((place, said_by, _)), None) => place.share(said_by, local),
            (None, None) => match (world, number("JOB_COMPLETION_INDEX", variable)?) {
                (Some(world), _) => world.share(SaidBy::Torchrun, local),
                (None, Some(_)) => {
                    return Err(LaunchError::Incomplete(
                        "a Kubernetes Indexed Job does not tell its pods how many they are: pass --ranks, or set MADMIX_RANKS, \
                         to the Job's completions",
                    ));
                }
                (None, None) => Self::whole(),
            },
        };
        Ok(Self { job, ..share })
    }

    /// The places of this rank's work among `places` of them, in the order in which it is to be done.
    pub fn of(&self, places: u64) -> Vec<u64> {
        let mut all: Vec<u64> = (0..places).collect();
        if self.holes {
            // Tasks that start together rarely come to the same place at the same time.
            shuffle(&mut all, &self.rank.to_le_bytes());
            return all;
        }
        if let Some(job) = &self.job {
            shuffle(&mut all, job.as_bytes());
        }
        let mut mine: Vec<u64> = all
            .into_iter()
            .skip(self.rank as usize)
            .step_by(self.ranks as usize)
            .collect();
        mine.sort_unstable();
        mine
    }
}

/// An order that hangs on `seed` alone.
fn shuffle(places: &mut [u64], seed: &[u8]) {
    places.sort_by_cached_key(|place| xxh3_64(&[seed, &place.to_le_bytes()].concat()));
}

/// An index and a count.
#[derive(Clone, Copy)]
struct Place {
    rank: u64,
    ranks: u64,
}

impl Place {
    fn share(self, said_by: SaidBy, local_rank: Option<usize>) -> Share {
        let Self { rank, ranks } = self;
        Share {
            rank,
            ranks,
            local_rank,
            holes: false,
            job: None,
            said_by,
        }
    }
}

/// The task's place in its Slurm array, and whether the array has holes.
fn array(variable: Variables<'_>) -> Result<Option<(Place, bool)>, LaunchError> {
    let Some(id) = number("SLURM_ARRAY_TASK_ID", variable)? else {
        return Ok(None);
    };
    let first = number("SLURM_ARRAY_TASK_MIN", variable)?.unwrap_or(0);
    let last = number("SLURM_ARRAY_TASK_MAX", variable)?.unwrap_or(id);
    let step = number("SLURM_ARRAY_TASK_STEP", variable)?
        .unwrap_or(1)
        .max(1);
    let place = Place {
        rank: id.saturating_sub(first) / step,
        ranks: last.saturating_sub(first) / step + 1,
    };
    let count = number("SLURM_ARRAY_TASK_COUNT", variable)?.unwrap_or(place.ranks);
    Ok(Some((place, count != place.ranks)))
}

/// Which of the processes on this machine this is; `None` where each has a machine of its own.
fn local_rank(variable: Variables<'_>) -> Result<Option<usize>, LaunchError> {
    let alone = |ranks: Option<u64>, machines: u64| ranks.is_some_and(|ranks| ranks <= machines);
    let (local, alone) = if let Some(local) = number("LOCAL_RANK", variable)? {
        (Some(local), alone(number("LOCAL_WORLD_SIZE", variable)?, 1))
    } else if variable("SLURM_STEP_ID").is_some() {
        let machines = number("SLURM_STEP_NUM_NODES", variable)?.unwrap_or(1);
        let tasks = number("SLURM_STEP_NUM_TASKS", variable)?;
        (number("SLURM_LOCALID", variable)?, alone(tasks, machines))
    } else {
        (None, true)
    };
    Ok(local.filter(|_| !alone).map(|local| local as usize))
}

fn pair(
    rank: &'static str,
    ranks: &'static str,
    variable: Variables<'_>,
) -> Result<Option<Place>, LaunchError> {
    let place = |(rank, ranks)| Place { rank, ranks };
    Ok(number(rank, variable)?
        .zip(number(ranks, variable)?)
        .map(place))
}

fn number(name: &'static str, variable: Variables<'_>) -> Result<Option<u64>, LaunchError> {
    let parse = |value: String| {
        value
            .trim()
            .parse()
            .map_err(|_| LaunchError::NotANumber { name, value })
    };
    variable(name)
        .filter(|value| !value.is_empty())
        .map(parse)
        .transpose()
}

#[cfg(test)]
mod tests;
