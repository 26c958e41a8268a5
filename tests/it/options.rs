//! OPTIONS.md names a test for each option it claims.

use std::path::Path;

/// The text of every file below a folder.
fn texts(folder: &Path) -> String {
    let entries =
        std::fs::read_dir(folder).expect("the folder of the tests").map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { texts(&path) } else { text(&path) }).collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_option_claimed_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (options, tests) = (text(&root.join("OPTIONS.md")), texts(&root.join("tests/it")));
    let claims: Vec<_> = options.lines().filter_map(|line| line.rsplit_once(": `")?.1.strip_suffix("` |")).collect();
    assert!(claims.len() > 30, "{} claims", claims.len());
    for name in claims {
        assert!(tests.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}
