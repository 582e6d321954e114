//! `simulate SEEDS`: plays so many schedules, and says what happened.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use simulation::settle::{Spread, Truth, truth};
use simulation::{Bug, Counts, Plan, play, shrink};

/// Plays schedules from seeds.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many Presents for each settle time and spread of delays, instead of schedules.
    #[arg(long)]
    settle: Option<u64>,
    /// This one alone, with everything that is known of it.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(seed) = arguments.seed {
        return one(seed);
    }
    if let Some(presents) = arguments.settle {
        return settles(presents, arguments.from);
    }
    let (failed, counts) = many(arguments.from..arguments.from + arguments.seeds, None);
    println!("{} schedules from seed {}: {counts:#?}", arguments.seeds, arguments.from);
    if let Some((seed, violation)) = failed {
        println!("seed {seed} fails: {violation}");
        return one(seed);
    }
    for bug in Bug::ALL {
        let (found, _) = many(0..PLANTED, Some(bug));
        let Some((seed, violation)) = found else {
            println!("the planted bug {bug:?} is not found within {PLANTED} schedules");
            return ExitCode::FAILURE;
        };
        println!("the planted bug {bug:?} is found with seed {seed}: {violation}");
    }
    ExitCode::SUCCESS
}

/// How often "live" was not true where nobody could see it.
fn settles(presents: u64, seed: u64) -> ExitCode {
    let work: Vec<_> = Spread::ALL.iter().flat_map(|spread| SETTLES.map(|ms| (*spread, ms))).collect();
    let told = Mutex::new(vec![Truth::default(); work.len()]);
    on_all_cores(0..work.len() as u64, |number| {
        let Ok(at) = usize::try_from(number) else { return };
        let (spread, ms) = work[at];
        let truth = truth(spread, Duration::from_millis(ms), presents, seed);
        if let Ok(mut told) = told.lock() {
            told[at] = truth;
        }
    });
    let told = told.into_inner().unwrap_or_default();
    println!("| delays | settle, s | successes | missing here | missing elsewhere | mean wait, s |");
    println!("|---|---|---|---|---|---|");
    for ((spread, ms), truth) in work.iter().zip(&told) {
        let Truth { confirmed, missing_here, missing_there, waited } = truth;
        let mean = waited / (*confirmed).max(1);
        println!(
            "| {spread:?} | {}.{} | {confirmed} | {missing_here} | {missing_there} | {}.{:02} |",
            ms / 1_000,
            ms % 1_000 / 100,
            mean / 1_000,
            mean % 1_000 / 10
        );
    }
    let is_true = told.iter().all(|truth| truth.missing_here == 0 && truth.confirmed > 0);
    if is_true { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The first that fails, and what happened in all.
fn many(seeds: std::ops::Range<u64>, bug: Option<Bug>) -> (Option<(u64, String)>, Counts) {
    let result = Mutex::new((None::<(u64, String)>, Counts::default()));
    on_all_cores(seeds, |seed| {
        if result.lock().is_ok_and(|result| result.0.is_some()) {
            return;
        }
        let outcome = play(&Plan::draw(seed), bug);
        let Ok(mut result) = result.lock() else { return };
        result.1.add(&outcome.counts);
        if let Some(violation) = outcome.violation
            && result.0.as_ref().is_none_or(|(known, _)| seed < *known)
        {
            result.0 = Some((seed, violation));
        }
    });
    result.into_inner().unwrap_or_default()
}

/// Does the work for each number, as many at a time as there are cores.
fn on_all_cores(numbers: std::ops::Range<u64>, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(numbers.start);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < numbers.end);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(number) = take() {
                    work(number);
                }
            });
        }
    });
}

/// Plays one twice, for it must be the same, and makes it small if it fails.
fn one(seed: u64) -> ExitCode {
    let plan = Plan::draw(seed);
    let (first, second) = (play(&plan, None), play(&plan, None));
    println!("{plan:#?}\n{first:#?}");
    if first != second {
        println!("the second time it was different: {second:#?}");
        for _ in 0..2 {
            println!("once more");
            let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).without_time();
            tracing::subscriber::with_default(log.with_ansi(false).finish(), || play(&plan, None));
        }
        return ExitCode::FAILURE;
    }
    if first.violation.is_none() {
        return ExitCode::SUCCESS;
    }
    let (small, outcome) = shrink(&plan, None);
    println!("as small as it can be:\n{small:#?}\n{outcome:#?}");
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).without_time();
    tracing::subscriber::with_default(log.with_ansi(false).finish(), || play(&small, None));
    ExitCode::FAILURE
}

/// Within so many schedules each planted bug must be found.
const PLANTED: u64 = 1_000;
/// `--propagation-settle`, in milliseconds.
const SETTLES: [u64; 5] = [0, 500, 1_000, 2_000, 5_000];
