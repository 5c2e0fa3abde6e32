//! Tasks that need a further cargo tool, which they install if it is missing.

use crate::FuzzArgs;
use crate::command::{Program, cargo, is_installed, program, step, target_dir, workspace};
use crate::failure::{Failure, Outcome};

/// Every fuzz target, or one, for a while each.
pub(crate) fn fuzz(args: &FuzzArgs) -> Outcome {
    let known = fuzz_targets()?;
    let targets = match &args.target {
        None => known,
        Some(target) if known.contains(target) => vec![target.clone()],
        Some(target) => {
            return Err(Failure::new(format!("there is no fuzz target {target}"))
                .with_next_action(format!("choose one of: {}", known.join(", "))));
        }
    };
    ensure("cargo-fuzz")?;
    let folder = workspace().join("tests/fuzz");
    let build = target_dir().join("fuzz");
    for target in targets {
        step(&format!("Fuzzing {target} for {} s", args.seconds));
        // What the fuzzer finds stays out of the repository: it grows a copy of the corpus.
        let grown = build.join("corpus").join(&target);
        std::fs::create_dir_all(&grown).map_err(|e| Failure::new(e.to_string()))?;
        let seeds = folder.join("corpus").join(&target);
        let mut words: Vec<std::ffi::OsString> = vec!["fuzz".into(), "run".into()];
        words.extend(["--fuzz-dir".into(), folder.clone().into()]);
        words.extend(["--target-dir".into(), build.clone().into()]);
        if target == "config" {
            // Off otherwise: its parser is above Arti, which takes minutes to build.
            words.push("--features=config".into());
        }
        words.extend([target.into(), grown.into(), seeds.into(), "--".into()]);
        words.push(format!("-max_total_time={}", args.seconds).into());
        // An endless loop is a finding too, and the fuzzer's own limit is twenty minutes.
        words.push("-timeout=20".into());
        // cargo-fuzz needs the sanitizer's switches, which stable rustc has but hides.
        cargo(&words).env("RUSTC_BOOTSTRAP", "1").run()?;
    }
    Ok(())
}

fn fuzz_targets() -> Outcome<Vec<String>> {
    let folder = workspace().join("tests/fuzz/targets");
    let entries = std::fs::read_dir(&folder)
        .map_err(|e| Failure::new(format!("{}: {e}", folder.display())))?;
    let mut names: Vec<_> = entries
        .filter_map(|entry| {
            entry
                .ok()?
                .file_name()
                .to_str()?
                .strip_suffix(".rs")
                .map(str::to_owned)
        })
        .collect();
    names.sort();
    Ok(names)
}

/// Licences, sources, duplicates, advisories.
pub(crate) fn deny() -> Outcome {
    ensure("cargo-deny")?;
    cargo(&["deny", "check", "licenses", "bans", "sources"]).run()?;
    cargo(&["deny", "check", "advisories"]).run().map_err(|f| {
        f.with_next_action("see above; the advisories' database is fetched from github.com")
    })
}

/// The book and the API documentation.
pub(crate) fn docs() -> Outcome {
    ensure("mdbook")?;
    let book = target_dir().join("book");
    program(
        "mdbook",
        &[
            "build".as_ref(),
            "docs".as_ref(),
            "--dest-dir".as_ref(),
            book.as_os_str(),
        ],
    )
    .run()?;
    api_docs(&["--workspace"]).run()?;
    step(&format!("the book: {}", book.join("index.html").display()));
    step(&format!(
        "the API:  {}",
        target_dir().join("doc/tacit_engine/index.html").display()
    ));
    Ok(())
}

/// The API documentation; a warning in it is an error.
pub(crate) fn api_docs(selection: &[&str]) -> Program {
    let mut words = vec!["doc", "--no-deps"];
    words.extend(selection);
    if selection.contains(&"--workspace") {
        // With the small example cargo chooses the features that tests need as well: otherwise Arti and
        // everything above it would be checked a second time.
        words.extend(["--lib", "--example", "seeds"]);
    }
    cargo(&words).env("RUSTDOCFLAGS", "-D warnings")
}

/// The micro-benchmarks.
pub(crate) fn micro(arguments: &[String]) -> Outcome {
    let mut words = vec!["bench", "-p", "tacit-micro-bench"];
    if !arguments.is_empty() {
        words.push("--");
    }
    words.extend(arguments.iter().map(String::as_str));
    cargo(&words).run()
}

fn ensure(tool: &str) -> Outcome {
    if is_installed(tool) {
        return Ok(());
    }
    step(&format!(
        "installing {tool} with cargo (a few minutes, once)"
    ));
    cargo(&["install", "--locked", tool])
        .run()
        .map_err(|f| f.with_next_action(format!("install {tool} by hand, then try again")))
}
