//! CUDA's shared libraries: under which names they go, where they are sought, and where else they may lie.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

/// The driver's own library, which comes with nothing else.
pub(super) const DRIVER: &str = "libcuda.so.1";

/// What candle calls beside the driver, in an order in which each finds those that it needs.
pub(super) const OTHERS: [&str; 3] = ["cublasLt", "cublas", "curand"];

/// Under which names a library may lie: as a toolkit's development files have it, then by versions, the one of the CUDA
/// that this binary was built with first. cuRAND counts its own (10).
pub(super) fn names(library: &str, cuda_major: u32) -> Vec<String> {
    let mut names = vec![
        format!("lib{library}.so"),
        format!("lib{library}.so.{cuda_major}"),
    ];
    for version in [13, 12, 11, 10] {
        let name = format!("lib{library}.so.{version}");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Where the system's loader looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sought {
    /// The value of `LD_LIBRARY_PATH`.
    pub(super) library_path: Option<String>,
    /// What the loader had to say, where a file was there.
    pub(super) refused: Option<String>,
}

impl Display for Sought {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.library_path.as_deref().unwrap_or_default() {
            "" => f.write_str("where the system keeps its libraries (LD_LIBRARY_PATH is not set)"),
            path => write!(
                f,
                "in LD_LIBRARY_PATH ({path}) and where the system keeps its libraries"
            ),
        }?;
        match &self.refused {
            None => Ok(()),
            Some(why) => write!(f, "; one was there and could not be loaded: {why}"),
        }
    }
}

/// Libraries that were not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// Without `lib` and `.so`.
    pub(super) libraries: Vec<&'static str>,
    /// Of the CUDA that this binary was built with.
    pub(super) cuda_major: u32,
    pub(super) sought: Sought,
    /// Folders off the loader's way that have them.
    pub(super) elsewhere: Vec<PathBuf>,
}

impl Display for Missing {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let versioned = |library: &&str| match *library {
            "curand" => "libcurand.so.10".to_owned(),
            other => format!("lib{other}.so.{}", self.cuda_major),
        };
        let names: Vec<String> = self.libraries.iter().map(versioned).collect();
        let (verb, pronoun) = match names.len() {
            1 => ("was", "it"),
            _ => ("were", "they"),
        };
        write!(
            f,
            "the CUDA driver is there, but {} {verb} not found; {pronoun} {verb} sought {}; ",
            names.join(", "),
            self.sought
        )?;
        if self.elsewhere.is_empty() {
            let suffix = match self.cuda_major {
                13.. => String::new(),
                major => format!("-cu{major}"),
            };
            return write!(
                f,
                "the CUDA toolkit has them, and so have PyTorch and `pip install nvidia-cublas{suffix} nvidia-curand{suffix}`"
            );
        }
        let folders: Vec<String> = self
            .elsewhere
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        write!(
            f,
            "try: export LD_LIBRARY_PATH={}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}",
            folders.join(":")
        )
    }
}

/// Folders with one of the libraries, among those where toolkits and Python packages keep them: `roots` are toolkits
/// and Python environments. The first that has a library is taken.
pub(super) fn elsewhere(libraries: &[&str], cuda_major: u32, roots: &[PathBuf]) -> Vec<PathBuf> {
    let folders: Vec<PathBuf> = roots
        .iter()
        .flat_map(|root| library_folders(root))
        .collect();
    let mut found = Vec::new();
    for library in libraries {
        // Not the bare name, which a toolkit's stubs have too.
        let names = &names(library, cuda_major)[1..];
        let has = |folder: &&PathBuf| names.iter().any(|name| folder.join(name).exists());
        if let Some(folder) = folders.iter().find(has)
            && !found.contains(folder)
        {
            found.push(folder.clone());
        }
    }
    found
}

/// Where a toolkit, a conda environment and Python packages keep libraries below their root.
fn library_folders(root: &Path) -> Vec<PathBuf> {
    let mut folders = vec![root.join("lib64"), root.join("lib")];
    for python in entries(&root.join("lib")) {
        for packages in ["site-packages", "dist-packages"] {
            for part in entries(&python.join(packages).join("nvidia")) {
                folders.push(part.join("lib"));
            }
        }
    }
    folders
}

/// What lies in a folder, sorted; nothing where there is none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Sought {
        Sought {
            library_path: None,
            refused: None,
        }
    }

    #[test]
    fn the_version_of_the_build_comes_first() {
        assert_eq!(
            names("cublas", 12),
            [
                "libcublas.so",
                "libcublas.so.12",
                "libcublas.so.13",
                "libcublas.so.11",
                "libcublas.so.10"
            ]
        );
    }

    #[test]
    fn what_is_missing_is_named_with_where_it_was_sought() {
        let mut missing = Missing {
            libraries: vec!["cublas", "curand"],
            cuda_major: 13,
            sought: nowhere(),
            elsewhere: Vec::new(),
        };
        assert_eq!(
            missing.to_string(),
            "the CUDA driver is there, but libcublas.so.13, libcurand.so.10 were not found; they were sought where the \
             system keeps its libraries (LD_LIBRARY_PATH is not set); the CUDA toolkit has them, and so have PyTorch \
             and `pip install nvidia-cublas nvidia-curand`"
        );
        missing.cuda_major = 12;
        missing.sought.library_path = Some("/a:/b".into());
        let text = missing.to_string();
        assert!(text.contains("in LD_LIBRARY_PATH (/a:/b)"), "{text}");
        assert!(
            text.contains("nvidia-cublas-cu12 nvidia-curand-cu12"),
            "{text}"
        );
        missing.libraries.pop();
        missing.sought.refused = Some("libcublas.so.12: version `GLIBC_2.38' not found".into());
        let text = missing.to_string();
        assert!(
            text.contains("libcublas.so.12 was not found; it was sought"),
            "{text}"
        );
        assert!(
            text.contains("could not be loaded: libcublas.so.12: version"),
            "{text}"
        );
    }

    #[test]
    fn libraries_of_a_python_environment_are_pointed_at() {
        let folder = tempfile::tempdir().unwrap();
        let packages = folder.path().join("lib/python3.12/site-packages/nvidia");
        let (cublas, curand) = (packages.join("cublas/lib"), packages.join("curand/lib"));
        for lib in [&cublas, &curand] {
            fs_err::create_dir_all(lib).unwrap();
        }
        for name in ["libcublas.so.12", "libcublasLt.so.12"] {
            fs_err::write(cublas.join(name), "").unwrap();
        }
        fs_err::write(curand.join("libcurand.so.10"), "").unwrap();
        let roots = [PathBuf::from("/nonexistent"), folder.path().to_owned()];
        let elsewhere = elsewhere(&OTHERS, 13, &roots);
        assert_eq!(elsewhere, [cublas.clone(), curand.clone()]);
        let text = Missing {
            libraries: OTHERS.to_vec(),
            cuda_major: 13,
            sought: nowhere(),
            elsewhere,
        }
        .to_string();
        let command = format!(
            "try: export LD_LIBRARY_PATH={}:{}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}",
            cublas.display(),
            curand.display()
        );
        assert!(text.ends_with(&command), "{text}");
    }

    #[test]
    fn a_toolkits_stubs_are_not_taken_for_the_libraries() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(folder.path().join("lib64")).unwrap();
        fs_err::write(folder.path().join("lib64/libcublas.so"), "").unwrap();
        let roots = [folder.path().to_owned()];
        assert!(elsewhere(&["cublas"], 13, &roots).is_empty());
    }
}
