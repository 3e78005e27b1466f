use super::*;

#[test]
fn a_file_whose_temporary_is_taken_away_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let mut attempt = 0;
    let result: Result<u32, PublishError> = publish_with(&path, |output| {
        attempt += 1;
        output.write(b"one ")?;
        if attempt == 1 {
            let temporary = fs_err::read_dir(folder.path().join("a")).unwrap().next();
            fs_err::remove_file(temporary.unwrap().unwrap().path()).unwrap();
        }
        output.write(b"two")?;
        Ok(attempt)
    });
    assert_eq!(result.unwrap(), 2);
    assert_eq!(fs_err::read(&path).unwrap(), b"one two");
}

#[test]
fn what_was_there_stays_until_the_new_content_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    publish(&path, b"old").unwrap();
    let result: Result<(), PublishError> = publish_with(&path, |output| {
        output.write(&vec![0; 3 * BUFFER_BYTES])?;
        Err(failed(&path, "a test")(ErrorKind::Other.into()))
    });
    assert_eq!(result.unwrap_err().step, "a test");
    assert_eq!(fs_err::read(&path).unwrap(), b"old");
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
}
