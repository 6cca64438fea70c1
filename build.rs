//! With the feature `capi`: writes the C header into `OUT_DIR`, from the sections of src/ffi.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "capi")]
    if let Err(error) = header::write() {
        println!("cargo::error=syncstore.h cannot be written: {error}");
    }
}

#[cfg(feature = "capi")]
mod header {
    use cbindgen::{Builder, Config};
    use std::error::Error;
    use std::fmt::Write;
    use std::path::{Path, PathBuf};
    use std::{env, fs};

    /// The files of src/ffi in the order of the header. Handles are declared before all; what else a section uses has to come before it.
    const SECTIONS: &[&str] = &[
        "status",
        "op_ref",
        "error",
        "library",
        "text",
        "store",
        "items",
        "outcomes",
        "batches",
        "rows",
        "queries",
        "query_bounds",
        "index_entries",
        "relations",
        "walks",
        "tags",
        "callback",
        "watching",
        "resource",
        "sync_status",
        "events",
        "event",
        "ref_list",
        "conflicts",
        "resolver",
        "rejections",
        "rejected_op",
        "cancel",
        "credentials",
        "wire",
        "report",
        "sync",
        "background",
        "wire_call",
        "wire_custom",
        "remote",
        "remote_page",
        "remote_write",
        "remote_batch",
        "indexes",
        "search",
        "sql",
        "keep",
        "resource",
        "pending",
        "upkeep",
    ];

    const OPENING: &str = include_str!("src/ffi/opening.h");

    const CLOSING: &str = "\n#ifdef __cplusplus\n}\n#undef syncstore\n#else\n/** The store, by the name that it has in C++. */\ntypedef syncstore syncstore_store;\n#endif\n\n#endif /* SYNCSTORE_H */\n";

    pub fn write() -> Result<(), Box<dyn Error>> {
        let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
        let ffi = root.join("src/ffi");
        for read in ["cbindgen.toml", "src/ffi"] {
            println!("cargo:rerun-if-changed={read}");
        }
        let config = Config::from_file(root.join("cbindgen.toml"))?;
        let (mut handles, mut sections) = (heading("Handles"), String::new());
        for section in SECTIONS {
            sections.push_str(&self::section(&ffi.join(format!("{section}.rs")), &config, &mut handles)?);
        }
        let header = opening()? + &handles + &sections + CLOSING;
        fs::write(PathBuf::from(env::var("OUT_DIR")?).join("syncstore.h"), header)?;
        Ok(())
    }

    fn opening() -> Result<String, Box<dyn Error>> {
        let mut opening = OPENING.to_owned();
        for part in ["MAJOR", "MINOR", "PATCH"] {
            opening = opening.replace(&format!("@{part}@"), &env::var(format!("CARGO_PKG_VERSION_{part}"))?);
        }
        Ok(opening.replace("@VERSION@", &env::var("CARGO_PKG_VERSION")?))
    }

    fn heading(words: &str) -> String {
        let lines = words.lines().map(|line| format!(" * {line}").trim_end().to_owned() + "\n");
        format!(
            "\n/* ---------------------------------------------------------------\n{} */\n",
            lines.collect::<String>()
        )
    }

    /// The file's own comment as the heading, its declarations, and the `_INIT` of its options; its handles go to the others'.
    fn section(file: &Path, config: &Config, handles: &mut String) -> Result<String, Box<dyn Error>> {
        let source = fs::read_to_string(file)?;
        let comment: Vec<_> = source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
        let mut declared = Vec::new();
        Builder::new().with_config(config.clone()).with_src(file).generate()?.write(&mut declared);
        let mut section = heading(&comment.join("\n"));
        for declaration in on_one_line(&String::from_utf8(declared)?).trim().split("\n\n") {
            let code = declaration.rsplit("*/").next().unwrap_or(declaration).trim();
            if code.starts_with("typedef struct ") && !code.contains('{') {
                write!(handles, "\n{declaration}\n")?;
                continue;
            }
            write!(section, "\n{}\n", finished(declaration))?;
            section.push_str(&initialiser(declaration)?);
        }
        Ok(section)
    }

    /// A declaration in the header's style: structs have a tag, negative numbers parentheses, functions a line for SYNCSTORE_API.
    fn finished(declaration: &str) -> String {
        let mut lines: Vec<String> = declaration.lines().map(str::to_owned).collect();
        let name =
            lines.last().and_then(|line| line.strip_prefix("} ")).map(|name| name.trim_end_matches(';').to_owned());
        for line in &mut lines {
            if let (true, Some(name)) = (line == "typedef struct {", &name) {
                *line = format!("typedef struct {name} {{");
            } else if let Some((define, number)) = line.split_once(" -").filter(|_| line.starts_with("#define ")) {
                *line = format!("{define} (-{number})");
            } else if let Some(function) = line.strip_prefix("SYNCSTORE_API ") {
                *line = format!("SYNCSTORE_API\n{function}");
            }
        }
        lines.join("\n")
    }

    /// Comments of one line take one line.
    fn on_one_line(declared: &str) -> String {
        let mut text = String::new();
        let mut rest = declared;
        while let Some((before, comment)) = rest.split_once("/**\n") {
            text.push_str(before);
            let Some((words, after)) = comment.split_once("*/") else { break };
            match words.trim().strip_prefix("* ") {
                Some(line) if !line.contains('\n') => text.push_str(&format!("/** {line} */")),
                _ => text.push_str(&format!("/**\n{words}*/")),
            }
            rest = after;
        }
        text + rest
    }

    /// A macro for a struct that begins with its size. It names every member, or compilers warn of those left out.
    fn initialiser(declaration: &str) -> Result<String, Box<dyn Error>> {
        let mut members = declaration.lines().filter(|line| line.starts_with(' ') && line.ends_with(';'));
        let name =
            declaration.lines().last().and_then(|line| line.strip_prefix("} ")).map(|name| name.trim_end_matches(';'));
        let (Some(name), Some("  size_t struct_size;")) = (name, members.next()) else { return Ok(String::new()) };
        let (of, zeros) = (name.to_uppercase(), ", 0".repeat(members.count()));
        Ok(format!("\n/** The defaults: {name} x = {of}_INIT; */\n#define {of}_INIT {{ sizeof({name}){zeros} }}\n"))
    }
}
