//! Compute capabilities: which cards can run what was compiled for one.

use std::fmt::{self, Display, Formatter};

/// Major and minor number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Capability(pub u32, pub u32);

impl Capability {
    /// As compilers write it: 90 is 9.0.
    pub(super) fn number(self) -> u32 {
        self.0 * 10 + self.1
    }
}

impl Display for Capability {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What kernels were compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    capability: Capability,
    reach: Reach,
}

/// Which cards beside those of the very capability can run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// None: what only these have is used (`sm_90a`).
    Alone,
    /// Later ones of the same major number.
    Generation,
    /// All later ones, for which the driver compiles PTX.
    Later,
}

impl Target {
    /// Reads it from a kernel's PTX. With `flash-attn` there are kernels in machine code beside those in PTX, and
    /// machine code serves one generation.
    pub(super) fn of_ptx(ptx: &str) -> Option<Self> {
        let target = ptx
            .lines()
            .find_map(|line| line.trim().strip_prefix(".target"))?
            .split(',')
            .next()?
            .trim()
            .strip_prefix("sm_")?;
        let digits = target.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let number: u32 = digits.parse().ok()?;
        Some(Self {
            capability: Capability(number / 10, number % 10),
            reach: match &target[digits.len()..] {
                "a" => Reach::Alone,
                "f" => Reach::Generation,
                _ if cfg!(feature = "flash-attn") => Reach::Generation,
                _ => Reach::Later,
            },
        })
    }

    /// Whether a card of this capability can run it.
    pub(super) fn runs_on(self, card: Capability) -> bool {
        let built = self.capability;
        match self.reach {
            Reach::Alone => card == built,
            Reach::Generation => card.0 == built.0 && card.1 >= built.1,
            Reach::Later => card >= built,
        }
    }
}

impl Display for Target {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Capability(major, _) = self.capability;
        match self.reach {
            Reach::Alone => write!(f, "{} alone", self.capability),
            Reach::Generation => write!(f, "{} and later ones of {major}.x", self.capability),
            Reach::Later => write!(f, "{} and later", self.capability),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> Target {
        let ptx = format!("//\n// Generated\n\n.version 9.0\n.target {name}\n.address_size 64\n");
        Target::of_ptx(&ptx).unwrap()
    }

    #[test]
    fn kernels_for_one_capability_alone() {
        let hopper = target("sm_90a");
        assert!(hopper.runs_on(Capability(9, 0)));
        for other in [(8, 0), (8, 9), (10, 0), (12, 0)] {
            assert!(!hopper.runs_on(Capability(other.0, other.1)));
        }
        assert_eq!(hopper.to_string(), "9.0 alone");
        assert!(target("sm_120a").runs_on(Capability(12, 0)));
        assert!(!target("sm_120a").runs_on(Capability(12, 1)));
    }

    #[test]
    fn kernels_for_a_generation_or_more() {
        let ampere = target("sm_80, texmode_independent");
        assert!(ampere.runs_on(Capability(8, 0)) && ampere.runs_on(Capability(8, 9)));
        assert!(!ampere.runs_on(Capability(7, 5)));
        // PTX alone is compiled for what comes later.
        assert_eq!(
            ampere.runs_on(Capability(9, 0)),
            !cfg!(feature = "flash-attn")
        );
        let family = target("sm_121f");
        assert!(family.runs_on(Capability(12, 1)) && !family.runs_on(Capability(12, 0)));
        assert_eq!(family.to_string(), "12.1 and later ones of 12.x");
    }

    #[test]
    fn ptx_without_a_target_says_nothing() {
        assert_eq!(Target::of_ptx(""), None);
        assert_eq!(Target::of_ptx(".target compute"), None);
    }
}
