//! Rust without its comments and the content of its strings, so that a rule about code does not
//! stumble over prose.

/// The text with every comment, and the content of every string and character literal, replaced by
/// nothing; lines stay where they are.
#[must_use]
pub fn only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => line_comment(rest),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' if !is_word(before) => raw_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        let taken = if skipped == 0 {
            first.len_utf8()
        } else {
            skipped
        };
        let (piece, tail) = rest.split_at(taken);
        if skipped == 0 {
            out.push(first);
        } else {
            out.extend(piece.chars().filter(|c| *c == '\n'));
        }
        before = piece.chars().next_back().unwrap_or(' ');
        rest = tail;
    }
    out
}

/// Whether `word` stands in `line` by itself, not inside a longer name.
#[must_use]
pub fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().unwrap_or(' ');
        let after = line[at + word.len()..].chars().next().unwrap_or(' ');
        !is_word(before) && !is_word(after)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_comment(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`, `b"…"`, `c"…"`; 0 if it is something else, as a name or `r#name`.
fn raw_string(rest: &str) -> usize {
    let prefix = rest
        .find(|c| !matches!(c, 'r' | 'b' | 'c'))
        .unwrap_or(rest.len());
    let hashes = rest[prefix..].chars().take_while(|c| *c == '#').count();
    let quote = prefix + hashes;
    if prefix > 2 || !rest[quote..].starts_with('"') {
        return 0;
    }
    if !rest[..prefix].contains('r') {
        return if hashes == 0 {
            quote + string(&rest[quote..])
        } else {
            0
        };
    }
    let close = format!("\"{}", "#".repeat(hashes));
    rest[quote + 1..]
        .find(&close)
        .map_or(rest.len(), |at| quote + 1 + at + close.len())
}

/// A character literal; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    let Some((_, first)) = chars.next() else {
        return 0;
    };
    if first == '\\' {
        return chars
            .skip(1)
            .find(|(_, c)| *c == '\'')
            .map_or(0, |(at, _)| at + 1);
    }
    match chars.next() {
        Some((at, '\'')) => at + 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_goes_and_code_stays() {
        let text = "let a = 1; // one\n/* two\n/* nested */ */let b = \"three \\\" //\";\nc(b'\\'', 'd', \"e\")";
        assert_eq!(only(text), "let a = 1; \n\nlet b = ;\nc(b, , )");
    }

    #[test]
    fn raw_strings_go_and_names_stay() {
        assert_eq!(
            only("r#\"a \" // b\"#; br\"c\"; b\"d\"; r#type; bracket; r; abc\"x\""),
            "; ; ; r#type; bracket; r; abc"
        );
    }

    #[test]
    fn lifetimes_stay() {
        assert_eq!(
            only("fn f<'a>(x: &'a str, y: &'static str)"),
            "fn f<'a>(x: &'a str, y: &'static str)"
        );
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use tokio::net;", "tokio"));
        assert!(!has_word("use tokio_util::x;", "tokio"));
        assert!(has_word("unsafe { x }", "unsafe"));
        assert!(!has_word("forbid(unsafe_code)", "unsafe"));
    }
}
