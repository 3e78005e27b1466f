//! Finds the objects of a folder or of a pattern in a bucket.

use std::cell::RefCell;
use std::io;

use futures_util::StreamExt;
use glob::{MatchOptions, Pattern};
use object_store::ObjectMeta;

use super::address::{Address, Kind};
use super::fault::{of_machine, of_object, shown};
use super::object::Remote;
use super::retry::{Takes, patiently};
use super::{Found, wording};

/// See [`super::list`].
pub(super) fn list(url: &str) -> io::Result<Vec<Found>> {
    let (folder, pattern) = split(url)?;
    let address = Address::of(folder)?;
    if address.kind == Kind::Http {
        return Err(of_machine(
            io::ErrorKind::Unsupported,
            format!(
                "{}: a web server lists no folders; name the file itself",
                shown(url)
            ),
        ));
    }
    let remote = Remote::get()?;
    let store = remote.clients.of(&address)?;
    let prefix = (!address.path.is_root()).then_some(&address.path);
    let objects = RefCell::new(Vec::<ObjectMeta>::new());
    let flat = pattern
        .as_ref()
        .is_some_and(|pattern| !pattern.as_str().contains('/') && pattern.as_str() != "**");
    let attempt = async || {
        if flat {
            let found = store.list_with_delimiter(prefix).await?;
            objects.replace(found.objects);
            return Ok(());
        }
        // Goes on where an attempt before it ended.
        let last = objects.borrow().last().map(|last| last.location.clone());
        let mut stream = match &last {
            Some(last) => store.list_with_offset(prefix, last),
            None => store.list(prefix),
        };
        while let Some(object) = stream.next().await {
            objects.borrow_mut().push(object?);
        }
        Ok(())
    };
    let (clients, patience) = (&remote.clients, remote.settings.patience);
    // Of a large bucket it takes minutes.
    patiently(clients, patience, Takes::AsLongAsItComes, &address, attempt)
        .map_err(|failed| wording::failed(&address, &failed))?;
    let mut found: Vec<_> = objects
        .into_inner()
        .iter()
        .filter_map(|object| {
            let key = object.location.as_ref();
            let name = match prefix {
                Some(prefix) => key.strip_prefix(prefix.as_ref())?.strip_prefix('/')?,
                None => key,
            };
            let fits = pattern.as_ref().is_none_or(|pattern| {
                let require_literal_separator = true;
                pattern.matches_with(
                    name,
                    MatchOptions {
                        require_literal_separator,
                        ..MatchOptions::new()
                    },
                )
            });
            fits.then(|| Found {
                name: name.to_owned(),
                url: format!("{}/{key}", address.store),
                bytes: object.size,
            })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The folder that is listed and what its objects have to match. Only `*` has a meaning: keys hold all else.
fn split(url: &str) -> io::Result<(&str, Option<Pattern>)> {
    let Some(star) = url.find('*') else {
        return Ok((url, None));
    };
    let folder = url[..star].rfind('/').map_or(0, |slash| slash + 1);
    let mut pattern = String::new();
    for (number, literal) in url[folder..].split('*').enumerate() {
        if number > 0 {
            pattern.push('*');
        }
        pattern += &Pattern::escape(literal);
    }
    let pattern = Pattern::new(&pattern).map_err(|error| {
        let text = format!(
            "{}: {}; `**` stands for whole folders",
            shown(url),
            error.msg
        );
        of_object(io::ErrorKind::InvalidInput, text)
    })?;
    Ok((&url[..folder], Some(pattern)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_patterns() {
        assert_eq!(split("s3://b/a/").unwrap(), ("s3://b/a/", None));
        let (folder, pattern) = split("s3://b/a/x[1]-*/y*.json").unwrap();
        assert_eq!(folder, "s3://b/a/");
        let pattern = pattern.unwrap();
        assert!(pattern.matches("x[1]-2/y.json") && !pattern.matches("x1-2/y.json"));
        assert_eq!(split("s3://b/*").unwrap().0, "s3://b/");
        let error = split("s3://b/a**").unwrap_err();
        assert!(error.to_string().contains("whole folders"), "{error}");
    }

    #[test]
    fn a_web_server_lists_nothing() {
        let error = list("https://h/a/?token=1").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(!error.to_string().contains("token"), "{error}");
    }
}
