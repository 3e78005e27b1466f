//! Media that lie inside a dataset's files, written out for rows that name files.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::MediaPaths;
use crate::blob::Blob;
use crate::dataset::Media;
use crate::export::{ExportError, quote};
use crate::store::{folder_name, publish_with};

/// How much of a file is held while it is written.
const CHUNK_BYTES: usize = 1 << 20;
/// The longest ending that a name is taken to have.
const MAX_ENDING: usize = 5;

/// Where the media of one dataset go that are no files by themselves: `media/DATASET` of the export.
#[derive(Debug)]
pub(super) struct MediaFiles {
    folder: PathBuf,
    /// What was written already: a row may be drawn many times.
    written: Mutex<HashSet<PathBuf>>,
}

impl MediaFiles {
    /// Media of the dataset `name` in the export's folder `root`.
    pub(super) fn new(root: &Path, name: &str) -> Self {
        Self {
            folder: root.join("media").join(folder_name(name)),
            written: Mutex::default(),
        }
    }

    /// The path that row number `row` names its medium number `place` by. What is no file by itself becomes one.
    ///
    /// # Errors
    /// When it cannot be read or written, or its path is no text.
    pub(super) fn path(
        &self,
        row: u64,
        place: usize,
        media: &Media,
        paths: MediaPaths,
    ) -> Result<String, ExportError> {
        let path = match (&media.blob, paths) {
            (Blob::Path(_), MediaPaths::MediaRoot) => return Ok(media.name.clone()),
            (Blob::Path(path), MediaPaths::Absolute) => path.clone(),
            (Blob::Frames(frames), _) => self.frames(row, place, frames)?,
            (blob, _) => {
                let name = format!("{row}-{place}{}", ending(&media.name, blob));
                let path = self.folder.join(name);
                self.write(blob, &path)?;
                path
            }
        };
        Ok(quote::path(&path)?.to_owned())
    }

    /// A folder of the frames, numbered from 1.
    fn frames(&self, row: u64, place: usize, frames: &[Blob]) -> Result<PathBuf, ExportError> {
        let folder = self.folder.join(format!("{row}-{place}.frames"));
        for (number, frame) in (1..).zip(frames) {
            let own = frame.path().and_then(Path::to_str).unwrap_or_default();
            let name = format!("{number:06}{}", ending(own, frame));
            self.write(frame, &folder.join(name))?;
        }
        Ok(folder)
    }

    fn write(&self, blob: &Blob, path: &Path) -> Result<(), ExportError> {
        if self
            .written
            .lock()
            .is_ok_and(|written| written.contains(path))
        {
            return Ok(());
        }
        write(blob, path)?;
        if let Ok(mut written) = self.written.lock() {
            written.insert(path.to_owned());
        }
        Ok(())
    }
}

/// The ending of a name, with its dot; where there is none that of the format that the bytes are in.
fn ending(name: &str, blob: &Blob) -> String {
    let own = Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str());
    let fits = |ending: &&str| {
        (1..=MAX_ENDING).contains(&ending.len())
            && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let found = match own.filter(fits) {
        Some(own) => Some(own),
        None => blob.open().ok().and_then(|reader| {
            let mut head = Vec::new();
            reader.take(64).read_to_end(&mut head).ok()?;
            crate::media::file_ending(&head)
        }),
    };
    found.map_or_else(String::new, |ending| format!(".{ending}"))
}

fn write(blob: &Blob, path: &Path) -> Result<(), ExportError> {
    let unreadable = |source| ExportError::Media {
        path: path.to_owned(),
        source,
    };
    publish_with(path, |output| {
        let mut reader = blob.open().map_err(unreadable)?;
        let mut buffer = vec![0; CHUNK_BYTES.min(reader.len() as usize + 1)];
        loop {
            match reader.read(&mut buffer).map_err(unreadable)? {
                0 => return Ok(()),
                read => output.write(&buffer[..read])?,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::MediaKind;

    fn held(bytes: &[u8]) -> Blob {
        Blob::Held(bytes.into())
    }

    #[test]
    fn what_is_no_file_becomes_one_and_what_is_stays_where_it_is() {
        let out = tempfile::tempdir().unwrap();
        let files = MediaFiles::new(out.path(), "a/b");
        let media = |name: &str, blob: Blob| Media {
            kind: MediaKind::Image,
            name: name.to_owned(),
            blob,
        };
        let path = |name: &str, blob: Blob, paths| {
            // Each another row: what was written is not written again.
            let row = 7 + name.len() as u64;
            files.path(row, 1, &media(name, blob), paths).unwrap()
        };
        let own = Blob::Path("/data/x.jpg".into());
        assert_eq!(path("x.jpg", own.clone(), MediaPaths::MediaRoot), "x.jpg");
        assert_eq!(path("x.jpg", own, MediaPaths::Absolute), "/data/x.jpg");
        for (name, bytes, ending) in [
            ("in/x.jpeg", &b"abc"[..], ".jpeg"),
            ("row 3", b"\x89PNG\r\n\x1a\n0000", ".png"),
            ("data:image/png (3 bytes)", b"zzz", ""),
            ("x.", b"", ""),
        ] {
            let written = path(name, held(bytes), MediaPaths::MediaRoot);
            let expected = format!("media/a%2Fb/{}-1{ending}", 7 + name.len());
            let expected = out.path().join(expected);
            assert_eq!(Path::new(&written), expected, "{name}");
            assert_eq!(fs_err::read(&expected).unwrap(), bytes);
            // A row that is drawn again has its file already.
            fs_err::remove_file(&expected).unwrap();
            path(name, held(bytes), MediaPaths::MediaRoot);
            assert!(!expected.exists());
        }
        let frames = Blob::Frames([held(b"GIF89a"), held(b"GIF89ab")].into());
        let folder = path("x and on", frames, MediaPaths::Absolute);
        assert_eq!(
            fs_err::read(Path::new(&folder).join("000002.gif")).unwrap(),
            b"GIF89ab"
        );
    }

    #[test]
    fn what_cannot_be_read_leaves_nothing_behind() {
        let out = tempfile::tempdir().unwrap();
        let files = MediaFiles::new(out.path(), "a");
        let media = Media {
            kind: MediaKind::Image,
            name: "x.jpg".into(),
            blob: Blob::Part {
                of: std::sync::Arc::new(held(b"abc")),
                start: 2,
                bytes: 5,
            },
        };
        let error = files.path(0, 0, &media, MediaPaths::Absolute).unwrap_err();
        assert!(error.to_string().contains("0-0.jpg"), "{error}");
        assert!(!out.path().join("media/a/0-0.jpg").exists());
    }
}
