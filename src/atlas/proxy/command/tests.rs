use super::*;

fn trial() -> Trial {
    Trial {
        number: 7,
        space: "joint".into(),
        point: vec![1.0],
        weights: vec![1.0],
        seed: 11,
        by: "design".into(),
        predicted: BTreeMap::new(),
        outcome: None,
    }
}

#[test]
fn values_stand_in_for_their_names_and_nothing_else_changes() {
    let trial = trial();
    let told = Told {
        trial: &trial,
        // What is filled in is not filled in itself.
        mixture: Written {
            path: "/a {seed}/m.yaml".into(),
            media_root: String::new(),
        },
        out: Path::new("/o"),
        device: Some("0,1"),
    };
    for (argument, filled) in [
        ("--data={mixture}", "--data=/a {seed}/m.yaml"),
        ("{out}/{trial}_{seed}@{device}", "/o/7_11@0,1"),
        (
            "${out} {\"a\": {}} {{out}} {OUT",
            "${out} {\"a\": {}} {/o} {OUT",
        ),
        ("µ{", "µ{"),
    ] {
        assert_eq!(told.fill_in(argument), filled);
    }
}

#[test]
fn the_last_words_are_those_of_the_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = open_log(folder.path()).unwrap();
    writeln!(log, "before").unwrap();
    let begun = log.seek(SeekFrom::End(0)).unwrap();
    assert_eq!(last_words(&mut log, begun), "; it said nothing");
    for i in 0..400 {
        writeln!(log, "step {i}").unwrap();
    }
    writeln!(log, "10 %\r20 %\nCUDA out of memory\u{1b}[0m\n").unwrap();
    let words = last_words(&mut log, begun);
    assert_eq!(
        words,
        "; its last words:\nstep 396\nstep 397\nstep 398\nstep 399\n20 %\nCUDA out of memory\\u{1b}[0m"
    );
}
