//! Datasets in a bucket, through the built program.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::asking::Place;
use crate::moto::{Moto, moto};
use crate::proxy::{Proxy, Trouble};
use crate::sent;

const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");

/// The demo's files in a bucket, but for the clips: their frames lie in folders. Says how many there are.
fn upload(moto: &Moto, bucket: &str) -> usize {
    let mut folders = vec![Path::new(REPOSITORY).join("configs/demo")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let end = path.extension().and_then(|end| end.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if matches!(end, Some("json" | "jsonl"))
                || (end != Some("md") && !path.to_str().unwrap().contains("/demo/video/"))
            {
                let key = path.strip_prefix(REPOSITORY).unwrap().to_str().unwrap();
                moto.put(bucket, key, &fs_err::read(&path).unwrap());
                files += 1;
            }
        }
    }
    files
}

/// The demo with its files below `data`, written into the place's folder.
fn config(place: &Place, name: &str, data: &str) {
    let config = fs_err::read_to_string(format!("{REPOSITORY}/configs/demo.toml")).unwrap();
    let config = config
        .replace("\"../runs/demo\"", &format!("\"{name}\""))
        .replace("\"../models/", &format!("\"{REPOSITORY}/models/"))
        .replace(
            "media_root = \"demo/video",
            &format!("media_root = \"{REPOSITORY}/configs/demo/video"),
        )
        .replace("= \"demo/", &format!("= \"{data}/configs/demo/"))
        .replace("[model]", "[model]\ndevice = \"cpu\"");
    fs_err::write(place.folder.path().join(format!("{name}.toml")), config).unwrap();
}

fn madmix(place: &Place, arguments: &[&str]) -> Output {
    let mut program = place.program(env!("CARGO_BIN_EXE_madmix"));
    program
        .args(arguments)
        .current_dir(&place.folder)
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_demo_is_the_same_from_a_bucket() {
    let Some(moto) = moto("the_demo_is_the_same_from_a_bucket") else {
        return;
    };
    let files = upload(moto, "demo");
    let proxy = Proxy::before(moto.port);
    proxy.trouble("/demo/", Trouble::Status("503 Slow Down", ""), 3);
    proxy.trouble("geometry", Trouble::Cut(100), 3);
    let place = Place::at(&proxy.endpoint);
    config(&place, "near", REPOSITORY);
    config(&place, "far", "s3://demo");
    let (near, far) = (
        madmix(&place, &["plan", "near.toml", "--json"]),
        madmix(&place, &["plan", "far.toml", "--json"]),
    );
    assert!(far.status.success(), "{}", told(&far));
    // All but how long it will take.
    let [far, near] = [far, near].map(|plan| {
        let mut plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
        plan["forecast"].take();
        plan
    });
    assert_eq!(far, near);
    proxy.taken();

    for name in ["near.toml", "far.toml"] {
        let ran = madmix(&place, &["run", name]);
        assert!(ran.status.success(), "{}", told(&ran));
    }
    // What the plan has read is not sent again; some pictures are no sample's.
    let requests = proxy.taken();
    assert!(
        requests.len() <= files && requests.len() > files / 2,
        "{}",
        requests.len()
    );
    assert_eq!(sent(&requests), 0);
    let domains = |name: &str| -> Value {
        let path = place.folder.path().join(name).join("mixture.json");
        let mixture: Value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
        mixture["domains"].clone()
    };
    assert!(domains("near").is_array());
    assert_eq!(domains("far"), domains("near"));
}

#[test]
fn files_of_a_folder_and_of_patterns() {
    let Some(moto) = moto("files_of_a_folder_and_of_patterns") else {
        return;
    };
    let row = |id: usize| {
        format!(
            "{{\"id\":\"{id}\",\"conversations\":[{{\"from\":\"human\",\"value\":\"q\"}},{{\"from\":\"gpt\",\"value\":\"a\"}}]}}\n"
        )
    };
    for number in 0..3 {
        moto.put(
            "many",
            &format!("d/{number}.jsonl"),
            row(number).repeat(number + 1).as_bytes(),
        );
    }
    moto.put("many", "d/README.md", b"no rows");
    moto.put("many", "d/x.png", b"no rows");
    let place = Place::at(&Proxy::before(moto.port).endpoint);
    let rows = |path: &str| {
        let config = format!(
            "output = \"out\"\n[model]\ncheckpoint = \"{REPOSITORY}/models/tiny-llava-onevision\"\ndevice = \"cpu\"\n\
             [[domain]]\nname = \"a\"\ndataset = [{{ name = \"rows\", path = \"{path}\", media_root = \".\" }}]\n\
             [[domain]]\nname = \"b\"\ndataset = [{{ name = \"more\", path = \"s3://many/d/0.jsonl\", media_root = \".\" }}]\n"
        );
        fs_err::write(place.folder.path().join("mix.toml"), config).unwrap();
        let plan = madmix(&place, &["plan", "mix.toml", "--json"]);
        let found: Option<Value> = serde_json::from_slice(&plan.stdout).ok();
        let rows = found.and_then(|found| found["datasets"][0]["rows"].as_u64());
        rows.ok_or_else(|| told(&plan))
    };
    assert_eq!(rows("s3://many/d/"), Ok(6));
    assert_eq!(rows("s3://many/d/*.jsonl"), Ok(6));
    assert_eq!(rows("s3://many/d/{0..1}.jsonl"), Ok(3));
    assert_eq!(rows("s3://many/d/{0,2}.jsonl"), Ok(4));
    let error = rows("s3://many/none/*.jsonl").unwrap_err();
    assert!(
        error.contains("dataset `rows` (s3://many/none/*.jsonl)"),
        "{error}"
    );
    let error = rows("s3://many/d/9.jsonl").unwrap_err();
    assert!(error.contains("there is no such object"), "{error}");
}
