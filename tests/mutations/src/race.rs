//! Runs shares of the tests until one fails.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::shares::Share;

/// Processes side by side.
const AT_ONCE: usize = 2;
/// A test that takes longer hangs: a fault may make a loop endless.
const LIMIT: Duration = Duration::from_secs(600);
/// Time from one look at a process to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// Which test failed first, if one did; those that run then are ended.
pub fn first_failure(shares: &[Share], tree: &Path, outputs: &Path) -> Option<String> {
    let (waiting, failure) = (Mutex::new(shares.iter()), Mutex::new(None));
    let is_over = || locked(&failure).is_some();
    let work = |output: &Path| {
        let next = || locked(&waiting).next().filter(|_| !is_over());
        while let Some(share) = next() {
            match run(share, tree, output, is_over) {
                Ok(None) => {}
                Ok(Some(test)) => {
                    locked(&failure).get_or_insert(test);
                }
                Err(error) => panic!("{}: {error}", share.binary.display()),
            }
        }
    };
    let outputs: Vec<_> = (0..AT_ONCE).map(|i| outputs.join(format!("output_{i}.txt"))).collect();
    thread::scope(|scope| outputs.iter().for_each(|output| drop(scope.spawn(|| work(output)))));
    failure.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which test of a share fails, if one does before all is over anyway.
fn run(share: &Share, tree: &Path, output: &Path, is_over: impl Fn() -> bool) -> io::Result<Option<String>> {
    let mut child = start(share, tree, output)?;
    let (mut len, mut changed) = (0, Instant::now());
    loop {
        thread::sleep(PAUSE);
        // Asked first: what a process that has ended wrote is all there.
        let ended = child.try_wait()?;
        let text = String::from_utf8_lossy(&fs::read(output)?).into_owned();
        if text.len() > len {
            (len, changed) = (text.len(), Instant::now());
        }
        let failed = match ended {
            _ if failed(&text).is_some() => failed(&text).map(String::from),
            Some(status) if !status.success() => Some(format!("{} ({status})", begun(&text).unwrap_or(&share.name))),
            Some(_) => None,
            None if changed.elapsed() > LIMIT => Some(format!("{} (timed out)", begun(&text).unwrap_or(&share.name))),
            None if is_over() => None,
            None => continue,
        };
        // One that has ended is not there to be killed.
        let _ = child.kill();
        child.wait()?;
        return Ok(failed);
    }
}

/// One thread, since a software driver works on the one that asks, and one heap, since it keeps what it allocates.
fn start(share: &Share, tree: &Path, output: &Path) -> io::Result<Child> {
    let mut command = Command::new(&share.binary);
    command.args(["--test-threads=1", "--exact"]).args(&share.tests).current_dir(tree);
    for (name, value) in [("SURPRISAL_ADAPTER", "software"), ("XDG_RUNTIME_DIR", "/tmp")] {
        if env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
    command.env("SURPRISAL_REQUIRE_GPU", "1").env("CARGO_MANIFEST_DIR", tree);
    command
        .env("SURPRISAL_PROOF", "quick")
        .env("GALLIVM_PERF", "nopt")
        .env("WGPU_DEBUG", "0")
        .env("MALLOC_ARENA_MAX", "1");
    // Tests say there what they run on, amid the lines of their results.
    command.stderr(Stdio::null());
    command.stdin(Stdio::null()).stdout(File::create(output)?).spawn()
}

/// The tests that have begun, and what came of each as far as it is known.
fn results(text: &str) -> impl DoubleEndedIterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "))
}

fn failed(text: &str) -> Option<&str> {
    results(text).find(|(_, result)| *result == "FAILED").map(|(test, _)| test)
}

/// The test that began last.
fn begun(text: &str) -> Option<&str> {
    results(text).next_back().map(|(test, _)| test)
}
