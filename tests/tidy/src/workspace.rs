//! What the rules look at: packages with their declared dependencies, and every text file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::code;

/// A cargo workspace with its files.
#[derive(Debug)]
pub struct Workspace {
    /// Its folder.
    pub root: PathBuf,
    /// Its members.
    pub packages: Vec<Package>,
    /// Its text files, by path.
    pub files: Vec<TextFile>,
}

/// A member.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its licence expression.
    pub license: String,
    /// Whether it may be published.
    pub publish: bool,
    /// What its manifest names.
    pub dependencies: Vec<Dependency>,
    /// Its folder, relative to the workspace's.
    pub folder: String,
    /// The roots of its libraries and programs, relative to the workspace's folder.
    pub roots: Vec<String>,
}

/// A dependency as a manifest declares it.
#[derive(Debug)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// Whether only tests, examples and benches use it.
    pub is_dev: bool,
}

/// A text file.
#[derive(Debug)]
pub struct TextFile {
    /// Relative to the workspace's folder, with slashes.
    pub path: String,
    /// As it is.
    pub text: String,
}

/// Folders that hold nothing written by hand, and the controls' planted violations.
const SKIPPED_FOLDERS: &[&str] = &[
    "target",
    ".git",
    "__pycache__",
    "tests/tidy/fixtures",
    "docs/book",
    "tests/fuzz/corpus",
];
const TEXT_ENDINGS: &[&str] = &[
    "rs", "toml", "lock", "md", "py", "sh", "json", "svg", "yml", "yaml", "run", "txt", "css",
];

impl Workspace {
    /// Reads the workspace whose manifest lies in `root`. No network: only members are asked for.
    ///
    /// # Errors
    ///
    /// When cargo fails or a file cannot be read.
    pub fn load(root: &Path) -> io::Result<Self> {
        let metadata = metadata(root, &["--no-deps", "--offline"])?;
        let packages = array(&metadata["packages"])
            .iter()
            .map(|p| package(p, root))
            .collect();
        let mut files = Vec::new();
        collect(root, root, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self {
            root: root.to_owned(),
            packages,
            files,
        })
    }

    /// This repository.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn ours() -> io::Result<Self> {
        Self::load(&root())
    }

    /// The member of that name.
    #[must_use]
    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|p| p.name == name)
    }

    /// The file of that path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|f| f.path == path)
    }

    /// The Rust files of `package`.
    pub fn sources_of(&self, package: &Package) -> impl Iterator<Item = &TextFile> {
        let prefix = format!("{}/", package.folder);
        self.files
            .iter()
            .filter(move |f| f.path.starts_with(&prefix) && f.is_rust())
    }
}

impl TextFile {
    /// Whether it is Rust.
    #[must_use]
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether all of it is test code: a package's `tests` or `benches` folder, or a module of that
    /// name.
    #[must_use]
    pub fn is_test(&self) -> bool {
        let (folders, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let inside = folders.split_once("/src").map_or_else(
            // The workspace's own folder `tests` holds packages.
            || folders.split_once('/').map_or("", |(_, rest)| rest),
            |(_, rest)| rest,
        );
        name == "tests.rs" || inside.split('/').any(|f| f == "tests" || f == "benches")
    }

    /// The lines of its code, with their numbers, without comments and the content of strings, and
    /// without the unit tests, which stand last in a file.
    pub fn program_lines(&self) -> impl Iterator<Item = (usize, String)> {
        let lines: Vec<_> = self.code_lines().collect();
        let is_tests = |pair: &[(usize, String)]| {
            pair[0].1 == "#[cfg(test)]" && pair[1].1.starts_with("mod ") && pair[1].1.ends_with('{')
        };
        let end = lines.windows(2).position(is_tests).unwrap_or(lines.len());
        lines.into_iter().take(end)
    }

    /// All lines of its code, with their numbers, without comments and the content of strings.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, String)> {
        numbered(code::only(&self.text))
    }

    /// All lines, with their numbers.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }
}

/// `cargo metadata` of the workspace in `root`.
///
/// # Errors
///
/// When cargo cannot be run, fails, or answers something else than JSON.
pub fn metadata(root: &Path, arguments: &[&str]) -> io::Result<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .args(arguments)
        .current_dir(root)
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// This repository's folder.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("tests/tidy lies two folders deep")
        .to_owned()
}

fn numbered(code: String) -> impl Iterator<Item = (usize, String)> {
    let lines: Vec<_> = code.lines().map(str::to_owned).collect();
    lines.into_iter().enumerate().map(|(i, line)| (i + 1, line))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn package(value: &Value, root: &Path) -> Package {
    let relative = |path: &Value| {
        let path = PathBuf::from(text(path));
        path.strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .replace('\\', "/")
    };
    let manifest = relative(&value["manifest_path"]);
    let is_root = |target: &&Value| {
        array(&target["kind"])
            .iter()
            .any(|k| matches!(k.as_str(), Some("lib" | "bin")))
    };
    let targets = array(&value["targets"]).iter().filter(is_root);
    Package {
        name: text(&value["name"]),
        license: text(&value["license"]),
        publish: !value["publish"].as_array().is_some_and(Vec::is_empty),
        dependencies: array(&value["dependencies"])
            .iter()
            .map(|d| Dependency {
                name: text(&d["name"]),
                is_dev: d["kind"] == "dev",
            })
            .collect(),
        folder: manifest.trim_end_matches("/Cargo.toml").to_owned(),
        roots: targets.map(|t| relative(&t["src_path"])).collect(),
    }
}

fn collect(folder: &Path, root: &Path, files: &mut Vec<TextFile>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let inside = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .replace('\\', "/");
        let name = entry.file_name();
        let skipped = |s: &&str| inside == *s || name.to_string_lossy() == *s;
        if SKIPPED_FOLDERS.iter().any(skipped) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&path, root, files)?;
        } else if kind.is_file() && is_text(&name.to_string_lossy()) {
            let bytes = fs::read(&path)?;
            files.push(TextFile {
                path: inside,
                text: String::from_utf8_lossy(&bytes).into_owned(),
            });
        }
    }
    Ok(())
}

fn is_text(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((_, ending)) => TEXT_ENDINGS.contains(&ending),
        None => true,
    }
}
