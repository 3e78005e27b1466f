use std::collections::BTreeMap;

use super::*;

fn find(rank: Option<u64>, ranks: Option<u64>, environment: &str) -> Result<Share, LaunchError> {
    let variables: BTreeMap<&str, &str> = environment
        .split_whitespace()
        .map(|pair| pair.split_once('=').unwrap())
        .collect();
    Share::find(rank, ranks, &|name| {
        variables.get(name).map(|value| (*value).to_owned())
    })
}

/// Rank, ranks, local rank and engine.
#[track_caller]
fn found(environment: &str) -> (u64, u64, Option<usize>, SaidBy) {
    let share = find(None, None, environment).unwrap();
    assert!(!share.holes);
    (share.rank, share.ranks, share.local_rank, share.said_by)
}

#[test]
fn alone_it_does_all() {
    assert_eq!(find(None, None, ""), Ok(Share::whole()));
    assert!(Share::whole().is_whole());
}

#[test]
fn what_is_said_by_hand_wins() {
    let slurm = "SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_LOCALID=1";
    let share = find(Some(3), Some(8), slurm).unwrap();
    assert_eq!(
        (share.rank, share.ranks, share.said_by),
        (3, 8, SaidBy::Hand)
    );
    assert_eq!(share.local_rank, Some(1), "the devices are still shared");
    let share = find(None, None, &format!("{slurm} MADMIX_RANK=4 MADMIX_RANKS=5")).unwrap();
    assert_eq!((share.rank, share.ranks), (4, 5));
    let share = find(Some(0), None, "MADMIX_RANK=4 MADMIX_RANKS=5").unwrap();
    assert_eq!((share.rank, share.ranks), (0, 5));
}

#[test]
fn every_engine_is_understood() {
    assert_eq!(
        found(
            "SLURM_STEP_ID=0 SLURM_PROCID=5 SLURM_STEP_NUM_TASKS=8 SLURM_STEP_NUM_NODES=2 SLURM_LOCALID=1"
        ),
        (5, 8, Some(1), SaidBy::Srun)
    );
    assert_eq!(
        found(
            "SLURM_ARRAY_TASK_ID=14 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_MAX=16 SLURM_ARRAY_TASK_STEP=2 SLURM_ARRAY_TASK_COUNT=4"
        ),
        (2, 4, None, SaidBy::SlurmArray)
    );
    assert_eq!(
        found("TORCHELASTIC_RUN_ID=x RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 LOCAL_WORLD_SIZE=2"),
        (3, 4, Some(1), SaidBy::Torchrun)
    );
    assert_eq!(found("RANK=3 WORLD_SIZE=4"), (3, 4, None, SaidBy::Torchrun));
    assert_eq!(
        found("JOB_COMPLETION_INDEX=2 MADMIX_RANKS=3"),
        (2, 3, None, SaidBy::Kubernetes)
    );
}

/// Taking `SLURM_PROCID` of a batch script that starts the program itself would leave half of the work undone.
#[test]
fn a_batch_script_without_srun_does_all() {
    assert_eq!(
        found("SLURM_JOB_ID=7 SLURM_PROCID=0 SLURM_NTASKS=2 SLURM_LOCALID=0"),
        (0, 1, None, SaidBy::Nobody)
    );
}

#[test]
fn srun_and_torchrun_divide_the_share_of_an_array_task() {
    let array = "SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=4";
    let step = "SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_LOCALID=1 SLURM_STEP_NUM_NODES=1";
    assert_eq!(
        found(&format!("{array} {step}")),
        (5, 8, Some(1), SaidBy::SrunInArray)
    );
    let torchrun = "SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 TORCHELASTIC_RUN_ID=x RANK=1 WORLD_SIZE=2 LOCAL_RANK=1";
    assert_eq!(
        found(&format!("{array} {torchrun}")),
        (5, 8, Some(1), SaidBy::TorchrunInArray)
    );
    let alone = "SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 SLURM_LOCALID=0";
    assert_eq!(
        found(&format!("{array} {alone}")),
        (2, 4, None, SaidBy::SlurmArray)
    );
}

#[test]
fn one_process_on_each_machine_has_all_its_devices() {
    let step = "SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_LOCALID=0 SLURM_STEP_NUM_NODES=2";
    assert_eq!(found(step), (1, 2, None, SaidBy::Srun));
    assert_eq!(
        found("TORCHELASTIC_RUN_ID=x RANK=1 WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=1"),
        (1, 2, None, SaidBy::Torchrun)
    );
}

/// `--array=3,5`: Slurm says 2 tasks from 3 to 5, and not which place among them this one has.
#[test]
fn tasks_of_an_array_with_holes_do_whatever_is_missing() {
    let task = |id| {
        format!(
            "SLURM_ARRAY_TASK_ID={id} SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_MAX=5 SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT=2"
        )
    };
    let orders = [3, 5].map(|id| {
        let share = find(None, None, &task(id)).unwrap();
        assert!(share.holes && !share.is_whole());
        share.of(100)
    });
    assert_ne!(orders[0], orders[1]);
    for mut order in orders {
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for (rank, ranks, environment, says) in [
        (Some(1), None, "", "needs --ranks"),
        (None, Some(2), "", "needs --rank"),
        (
            Some(2),
            Some(2),
            "",
            "rank 2 of 2 (as told): ranks count from 0, so the last is 1",
        ),
        (Some(0), Some(0), "", "rank 0 of 0"),
        (None, None, "JOB_COMPLETION_INDEX=0", "--ranks"),
        (None, None, "RANK=one WORLD_SIZE=2", "RANK is \"one\""),
        (None, None, "MADMIX_RANK=-1", "MADMIX_RANK is \"-1\""),
    ] {
        let error = find(rank, ranks, environment).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// What a lost rank has left must not be one rank's work again.
#[test]
fn every_job_deals_the_work_anew_and_a_requeued_task_has_its_own_again() {
    let task = |job: &str, id: u64| {
        let environment = format!(
            "SLURM_ARRAY_JOB_ID={job} SLURM_JOB_ID={id}7 SLURM_ARRAY_TASK_ID={id} SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=7 SLURM_ARRAY_TASK_COUNT=8"
        );
        find(None, None, &environment).unwrap().of(640)
    };
    let lost = task("101", 3);
    assert_eq!(lost, task("101", 3));
    for rank in 0..8 {
        let again = task("102", rank);
        let share = lost.iter().filter(|place| again.contains(place)).count();
        assert!((3..=20).contains(&share), "{share} of {}", lost.len());
    }
}

proptest::proptest! {
    #[test]
    fn every_place_is_one_ranks_work(ranks in 1_u64..9, places in 0_u64..60, job in proptest::option::of(0..9_u64)) {
        let mut done: Vec<u64> = (0..ranks)
            .flat_map(|rank| {
                let share = find(Some(rank), Some(ranks), "").unwrap();
                let mine = Share { job: job.map(|job| job.to_string()), ..share }.of(places);
                assert!(mine.is_sorted() && mine.len() as u64 >= places / ranks);
                mine
            })
            .collect();
        done.sort_unstable();
        proptest::prop_assert!(done.into_iter().eq(0..places));
    }
}
