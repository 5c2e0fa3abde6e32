//! `tacit man`: one manual page with every command and every option.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;

/// Writes the page.
pub(crate) fn write(program: &Command, out: &mut impl Write) -> io::Result<()> {
    let page = Man::new(program.clone());
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    writeln!(out, ".SH COMMANDS")?;
    for command in program.get_subcommands() {
        commands(command, program.get_name(), out)?;
    }
    page.render_version_section(out)
}

/// A command, and those below it.
fn commands(command: &Command, above: &str, out: &mut impl Write) -> io::Result<()> {
    let name = format!("{above} {}", command.get_name());
    // What only the long help shows belongs into the manual.
    let whole = command.clone().mut_args(|a| a.hide_short_help(false));
    let page = Man::new(whole.bin_name(&name).disable_help_flag(true));
    let mut sections = Vec::new();
    page.render_synopsis_section(&mut sections)?;
    page.render_description_section(&mut sections)?;
    if command.get_arguments().next().is_some() {
        page.render_options_section(&mut sections)?;
    }
    if command.get_after_help().is_some() {
        page.render_extra_section(&mut sections)?;
    }
    writeln!(out, ".SS \"{name}\"")?;
    for line in String::from_utf8_lossy(&sections).lines() {
        // The sections of the page become paragraphs of the command.
        match line.strip_prefix(".SH ") {
            Some("SYNOPSIS" | "DESCRIPTION" | "OPTIONS" | "EXTRA") => writeln!(out, ".PP")?,
            Some(heading) => writeln!(out, ".PP\n.I {heading}")?,
            _ if line.starts_with(".ie") || line.starts_with(".el") => {}
            _ => writeln!(out, "{line}")?,
        }
    }
    for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
        commands(below, &name, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory as _;

    fn all(command: &Command, found: &mut Vec<String>) {
        let shown = command.get_arguments().filter(|a| !a.is_hide_set());
        found.extend(shown.filter_map(|a| a.get_long()).map(|l| format!("--{l}")));
        for below in command.get_subcommands() {
            found.push(below.get_name().to_owned());
            all(below, found);
        }
    }

    #[test]
    fn the_page_and_the_completions_have_every_command_and_option() {
        let mut page = Vec::new();
        write(&Cli::command(), &mut page).unwrap();
        let page = String::from_utf8(page).unwrap().replace("\\-", "-");
        let mut completions = Vec::new();
        clap_complete::generate(
            clap_complete::Shell::Bash,
            &mut Cli::command(),
            "tacit",
            &mut completions,
        );
        let completions = String::from_utf8(completions).unwrap();
        let mut names = Vec::new();
        all(&Cli::command(), &mut names);
        assert!(names.len() > 40, "{names:?}");
        for name in names {
            assert!(page.contains(&name), "{name} is not in the manual page");
            assert!(completions.contains(&name), "{name} is not completed");
        }
    }
}
