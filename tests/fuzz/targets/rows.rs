//! A dataset's file, as a list and as lines: every row is a sample or a failure with a reason.

#![no_main]

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;
use madmix::dataset::{self, DatasetSpec, MediaKind};

thread_local! {
    static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| tempfile::tempdir().expect("a temporary folder"));
        let spec = DatasetSpec {
            name: "fuzz".into(),
            path: folder.path().join("rows"),
            ..DatasetSpec::default()
        };
        fs_err::write(&spec.path, bytes).expect("the file is written");
        let Ok(dataset) = dataset::open(&spec) else {
            return;
        };
        let root = fs_err::canonicalize(folder.path()).expect("the folder is there");
        for index in 0..dataset.len() {
            match dataset.read(index) {
                Err(error) => assert!(!error.problem.to_string().is_empty()),
                Ok(sample) => {
                    let text: String = sample
                        .turns
                        .iter()
                        .map(|turn| turn.text.as_str())
                        .collect::<Vec<_>>()
                        .join("\n");
                    for kind in [MediaKind::Image, MediaKind::Video] {
                        let shown = sample
                            .media
                            .iter()
                            .filter(|media| media.kind == kind)
                            .count();
                        assert_eq!(text.matches(kind.placeholder()).count(), shown);
                    }
                    for media in &sample.media {
                        assert!(media.blob.path().is_none_or(|path| path.starts_with(&root)), "{:?}", media.blob);
                    }
                }
            }
        }
    });
});
