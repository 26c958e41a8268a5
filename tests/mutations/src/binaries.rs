//! The tests as they are built.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// With it the crate reads its shaders when it runs, from the folder of its manifest: a fault in one needs no build.
const FROM_DISK: &str = "--cfg surprisal_shaders_from_disk";

/// The integration tests, and the unit tests of the library.
pub struct Binaries {
    pub it: PathBuf,
    pub lib: PathBuf,
}

impl Binaries {
    pub fn build(tree: &Path, target: &Path) -> Result<Binaries, String> {
        let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
        let arguments = ["test", "--no-run", "--test", "it", "--lib", "--message-format=json-render-diagnostics"];
        let mut command = Command::new(cargo);
        command.args(arguments).current_dir(tree).env("CARGO_TARGET_DIR", target).env("RUSTFLAGS", FROM_DISK);
        let built = command.output().map_err(|error| format!("cargo: {error}"))?;
        if !built.status.success() {
            return Err(String::from_utf8_lossy(&built.stderr).into_owned());
        }
        let messages = String::from_utf8_lossy(&built.stdout);
        let found = |target| executable(&messages, target).ok_or_else(|| format!("cargo names no {target}"));
        Ok(Binaries { it: found(r#""name":"it""#)?, lib: found(r#""kind":["lib"]"#)? })
    }

    /// The same where no later build replaces them.
    pub fn copied_to(&self, folder: &Path) -> Result<Binaries, String> {
        let copies = Binaries { it: folder.join("it"), lib: folder.join("lib") };
        let copy = || {
            fs::create_dir_all(folder)?;
            fs::copy(&self.it, &copies.it).and(fs::copy(&self.lib, &copies.lib))
        };
        copy().map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(copies)
    }

    /// The names of the integration tests.
    pub fn tests(&self) -> Result<Vec<String>, String> {
        let listed = Command::new(&self.it).arg("--list").output().map_err(|error| format!("the tests: {error}"))?;
        let text = String::from_utf8_lossy(&listed.stdout);
        let tests: Vec<_> = text.lines().filter_map(|line| line.strip_suffix(": test")).map(String::from).collect();
        if tests.is_empty() { Err("the tests list none".into()) } else { Ok(tests) }
    }
}

/// Of cargo's messages, a line each, that of a target with an executable.
fn executable(messages: &str, target: &str) -> Option<PathBuf> {
    const KEY: &str = r#""executable":""#;
    let line = messages.lines().find(|line| line.contains(target) && line.contains(KEY))?;
    let (path, _) = line.split_once(KEY)?.1.split_once('"')?;
    Some(path.replace(r"\\", r"\").into())
}
