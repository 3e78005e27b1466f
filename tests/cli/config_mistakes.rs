//! Configs and checkpoints that cannot be used: what the message says, and that nothing was begun.

use crate::assert_ended;
use crate::project::{Ended, Project, repository};

/// Runs a project with one mistake in it, which must leave no run behind.
#[track_caller]
fn refused(code: i32, mistake: impl FnOnce(&Project)) -> Ended {
    let project = Project::new();
    mistake(&project);
    let ended = project.madmix(&["run", "mix.toml"]).expect(code);
    assert!(!project.path("run").exists(), "nothing was begun: {ended}");
    assert!(ended.stdout.is_empty(), "{ended}");
    ended
}

/// Runs a project whose checkpoint is a copy with one mistake in it.
#[track_caller]
fn refused_checkpoint(mistake: impl FnOnce(&Project)) -> Ended {
    refused(1, |project| {
        let original = format!("{}/models/tiny-llava-onevision", repository());
        for file in fs_err::read_dir(&original).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            project.write(&format!("model/{name}"), fs_err::read(&path).unwrap());
        }
        project.edit("mix.toml", &original, "model");
        mistake(project);
    })
}

#[test]
fn unknown_key() {
    let ended = refused(2, |project| project.extract("sample_per_dataset = 100"));
    assert_ended!("config_unknown_key", ended);
}

#[test]
fn not_toml() {
    let ended = refused(2, |project| {
        project.edit("mix.toml", "[extract]", "[extract");
    });
    assert_ended!("config_not_toml", ended);
}

#[test]
fn value_of_another_type() {
    let ended = refused(2, |project| {
        project.edit("mix.toml", "seed = 0", "seed = \"zero\"");
    });
    assert_ended!("config_wrong_type", ended);
}

#[test]
fn missing_config() {
    let ended = Project::new().madmix(&["run", "nowhere.toml"]).expect(2);
    assert_ended!("config_missing", ended);
}

#[test]
fn config_is_a_folder() {
    let ended = Project::new().madmix(&["run", "."]).expect(2);
    assert_ended!("config_folder", ended);
}

#[test]
fn unknown_method() {
    let ended = refused(2, |project| {
        project.edit(
            "mix.toml",
            "[[domain]]",
            "[mix]\nmethod = \"madmix\"\n\n[[domain]]",
        );
    });
    assert_ended!("config_unknown_method", ended);
}

#[test]
fn lambda_out_of_range() {
    let ended = refused(2, |project| {
        project.edit("mix.toml", "[[domain]]", "[mix]\nlambda = 0\n\n[[domain]]");
    });
    assert_ended!("config_lambda", ended);
}

/// Not after hours of extraction.
#[test]
fn human_shares_that_are_not_there() {
    let ended = refused(2, |project| {
        project.edit(
            "mix.toml",
            "name = \"Words\"",
            "name = \"Words\"\nhuman = 3",
        );
        project.edit(
            "mix.toml",
            "[[domain]]",
            "[mix]\nmethod = \"human\"\n\n[[domain]]",
        );
    });
    assert_ended!("config_no_human_share", ended);
}

#[test]
fn layer_that_the_model_does_not_have() {
    let ended = refused(2, |project| project.extract("layers = [99]"));
    assert_ended!("config_unknown_layer", ended);
}

#[cfg(not(feature = "cuda"))]
#[test]
fn cuda_in_a_build_without() {
    let ended = refused(1, |project| project.edit("mix.toml", "\"cpu\"", "\"cuda\""));
    assert_ended!("config_cuda", ended);
}

#[test]
fn device_that_does_not_exist() {
    let ended = refused(2, |project| project.edit("mix.toml", "\"cpu\"", "\"gpu\""));
    assert_ended!("config_device", ended);
}

#[test]
fn bf16_on_the_cpu() {
    let ended = refused(2, |project| {
        project.edit("mix.toml", "\"cpu\"", "\"cpu\"\ndtype = \"bf16\"");
    });
    assert_ended!("config_bf16_on_cpu", ended);
}

#[test]
fn missing_checkpoint_folder() {
    let ended = refused(1, |project| {
        project.edit("mix.toml", "models/tiny-llava", "models/tony-llava");
    });
    assert_ended!("checkpoint_missing", ended);
}

#[test]
fn checkpoint_of_another_family() {
    let ended = refused_checkpoint(|project| {
        project.edit(
            "model/config.json",
            "\"model_type\": \"llava_onevision\"",
            "\"model_type\": \"paligemma\"",
        );
        project.edit(
            "model/config.json",
            "LlavaOnevisionForConditionalGeneration",
            "PaliGemmaForConditionalGeneration",
        );
    });
    assert_ended!("checkpoint_other_family", ended);
}

#[test]
fn truncated_weights() {
    let ended = refused_checkpoint(|project| {
        let weights = fs_err::read(project.path("model/model.safetensors")).unwrap();
        project.write("model/model.safetensors", &weights[..weights.len() - 100]);
    });
    assert_ended!("checkpoint_truncated", ended);
}

#[test]
fn missing_tokenizer() {
    let ended = refused_checkpoint(|project| {
        fs_err::remove_file(project.path("model/tokenizer.json")).unwrap();
    });
    assert_ended!("checkpoint_no_tokenizer", ended);
}

#[test]
fn tokenizer_that_is_none() {
    let ended = refused_checkpoint(|project| project.write("model/tokenizer.json", "{}"));
    assert_ended!("checkpoint_bad_tokenizer", ended);
}

/// What a dataset's keys may not be: the message names the dataset and the key.
#[test]
fn choices_of_rows_that_are_none() {
    let with = |line: &'static str| {
        move |project: &Project| {
            let path = "path = \"words.jsonl\"";
            project.edit("mix.toml", path, &format!("{path}\n{line}"));
        }
    };
    let ended = refused(2, with("filter = { path = \"a(\" }"));
    assert_ended!("config_bad_filter_path", ended);
    let ended = refused(2, with("filter = { modality = [\"audio\"] }"));
    assert_ended!("config_unknown_modality", ended);
    let ended = refused(2, with("filter = { source = [\"a\"] }"));
    assert_ended!("config_unknown_filter", ended);
    let ended = refused(2, with("sampling_strategy = \"some\""));
    assert_ended!("config_sampling_unknown", ended);
    let ended = refused(2, with("sampling_strategy = \"random:12.5%\""));
    assert_ended!("config_sampling_fraction", ended);
    let ended = refused(2, with("sampling_strategy = \"first:0\""));
    assert_ended!("config_sampling_nothing", ended);
    let ended = refused(2, with("format = \"messages jsonl\""));
    let says = "dataset \"words\": there is no format \"messages jsonl\"; known are ";
    assert!(ended.stderr.contains(says), "{ended}");
}

/// What solving would fail at, said before the first sample is read.
#[test]
fn what_cannot_be_solved_is_not_extracted() {
    let with = |extract: &'static str, mix: &'static str| {
        move |project: &Project| {
            project.extract(extract);
            let section = format!("[mix]\n{mix}\n[[domain]]");
            project.edit("mix.toml", "[[domain]]", &section);
        }
    };
    let fused = with("protocol = \"separate\"", "method = \"fused\"");
    assert_ended!("config_fused_separate", refused(2, fused));
    let hold = with("", "hold = [\"Words\"]");
    assert_ended!("config_hold_without_human", refused(2, hold));
    let uniform = with("stop_when = 0.01", "method = \"uniform\"");
    assert_ended!("config_stop_when_uniform", refused(2, uniform));
}
