//! The header's functions with their parameters, and the calls of a C source with their arguments.

use std::collections::BTreeSet;

/// What a parameter takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Takes {
    /// `syncstore *`.
    Store,
    /// `const char *`, with a length or a NUL.
    Text,
    /// Any other pointer, a callback too.
    Pointer,
    /// `syncstore_error **`.
    Error,
    /// No pointer.
    Value,
}

#[derive(Debug)]
pub struct Parameter {
    pub name: String,
    pub takes: Takes,
}

#[derive(Debug)]
pub struct Function {
    pub name: String,
    /// As it is written, `syncstore_status` or `const char *`.
    pub returns: String,
    pub parameters: Vec<Parameter>,
}

impl Function {
    pub fn answers_a_status(&self) -> bool {
        self.returns == "syncstore_status" && self.parameters.last().is_some_and(|last| last.takes == Takes::Error)
    }
}

/// One call: the macro around it, and its arguments as they are written.
pub struct Call {
    pub name: String,
    pub within: String,
    pub arguments: Vec<String>,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The word that a text ends with.
fn last_word(text: &str) -> &str {
    let text = text.trim_end();
    &text[text.rfind(|c| !is_word(c)).map_or(0, |at| at + 1)..]
}

/// The pieces of what stands between brackets, up to the closing one; nothing in strings, characters or further brackets separates.
fn pieces(inside: &str) -> Option<Vec<String>> {
    let (mut pieces, mut piece, mut depth) = (Vec::new(), String::new(), 0_usize);
    let (mut quote, mut escaped) = (None, false);
    for c in inside.chars() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')') if depth == 0 => {
                if !(pieces.is_empty() && piece.trim().is_empty()) {
                    pieces.push(piece.trim().to_owned());
                }
                return Some(pieces);
            }
            (None, ')' | ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => {
                pieces.push(std::mem::take(&mut piece).trim().to_owned());
                continue;
            }
            _ => {}
        }
        piece.push(c);
    }
    None
}

/// The types that are pointers without a `*`: the header's callbacks.
fn callbacks(header: &str) -> BTreeSet<&str> {
    let typedefs = header.split("\ntypedef ").skip(1).filter_map(|rest| rest.split_once("(*")?.1.split_once(')'));
    typedefs.map(|(name, _)| name).filter(|name| name.chars().all(is_word)).collect()
}

fn parameter(text: &str, callbacks: &BTreeSet<&str>) -> Parameter {
    if let Some((_, rest)) = text.split_once("(*") {
        return Parameter { name: rest.split(')').next().unwrap_or(rest).to_owned(), takes: Takes::Pointer };
    }
    let name = last_word(text);
    let kind = text[..text.len() - name.len()].trim();
    let takes = match kind {
        "syncstore *" => Takes::Store,
        "const char *" => Takes::Text,
        "syncstore_error **" => Takes::Error,
        kind if kind.ends_with('*') || kind.ends_with("*const") || callbacks.contains(kind) => Takes::Pointer,
        _ => Takes::Value,
    };
    Parameter { name: name.to_owned(), takes }
}

/// All functions that a header declares.
pub fn functions(header: &str) -> Vec<Function> {
    let callbacks = callbacks(header);
    let read = |declaration: &str| {
        let (before, inside) = declaration.split_once('(')?;
        let name = last_word(before);
        let parameters = pieces(inside)?;
        Some(Function {
            name: name.to_owned(),
            returns: before[..before.len() - name.len()].trim().to_owned(),
            parameters: parameters
                .iter()
                .filter(|text| *text != "void")
                .map(|text| parameter(text, &callbacks))
                .collect(),
        })
    };
    header.split("\nSYNCSTORE_API").skip(1).filter_map(read).collect()
}

/// A source without comments, with each macro that is given a function's name written out.
fn written_out(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    let code = code.replace("\\\n", " ");
    let mut more = String::new();
    for definition in code.lines().filter_map(|line| line.strip_prefix("#define ")) {
        let Some((name, parameter, body)) = definition.split_once('(').and_then(|(name, rest)| {
            let (parameter, body) = rest.split_once(')')?;
            Some((name, parameter, body))
        }) else {
            continue;
        };
        if !parameter.chars().all(is_word) || !body.contains(&format!("{parameter}(")) {
            continue;
        }
        for given in code.split(&format!("\n    {name}(")).skip(1).filter_map(|rest| rest.split(')').next()) {
            more.push_str(&body.replace(&format!("{parameter}("), &format!("{given}(")));
            more.push(';');
        }
    }
    code + &more
}

/// The calls of the library's functions in a source.
pub fn calls(source: &str) -> Vec<Call> {
    let code = written_out(source);
    let mut calls = Vec::new();
    for (at, _) in code.match_indices("syncstore_") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let end = code[at..].find(|c| !is_word(c)).map_or(code.len(), |length| at + length);
        let Some(arguments) = code[end..].strip_prefix('(').and_then(pieces) else {
            continue;
        };
        // `CLOSED(call)`, `EXPECT_FAILS(SYNCSTORE_CLOSED, "words", call)`.
        let statement = code[..at].rfind([';', '{', '}']).map_or(0, |begin| begin + 1);
        calls.push(Call { name: code[at..end].to_owned(), within: code[statement..at].trim().to_owned(), arguments });
    }
    calls
}

#[test]
fn parameters_are_read_with_what_they_take() {
    let header = "\ntypedef void (*syncstore_wake)(void *user_data);\n\nSYNCSTORE_API\nconst char *syncstore_a(syncstore *store,\n  \
                  const char *const *names, syncstore_wake wake, void (*destroy)(void *a, int b), size_t n);\n\
                  \nSYNCSTORE_API\nsyncstore_status syncstore_b(const char *json, syncstore_error **error);\n\
                  \nSYNCSTORE_API\nsize_t syncstore_c(void);\n";
    let functions = functions(header);
    let takes = |place: usize| functions[place].parameters.iter().map(|parameter| parameter.takes).collect::<Vec<_>>();
    assert_eq!(takes(0), [Takes::Store, Takes::Pointer, Takes::Pointer, Takes::Pointer, Takes::Value]);
    assert_eq!(functions[0].parameters[3].name, "destroy");
    assert_eq!((functions[0].name.as_str(), functions[0].returns.as_str()), ("syncstore_a", "const char *"));
    assert_eq!(takes(1), [Takes::Text, Takes::Error]);
    assert!(functions[1].answers_a_status() && !functions[0].answers_a_status());
    assert!(takes(2).is_empty());
}

#[test]
fn calls_are_read_with_their_arguments() {
    let source = "/* syncstore_no(1) */\n#define PART(function) \\\n    CLOSED(function(NULL, \"c\"))\n    PART(syncstore_a);\n\
                  A(\"syncstore_\", syncstore_b(f(1, 2), \"a,)\\\"\", ',', (x)NULL));\n";
    let calls = calls(source);
    let read: Vec<_> = calls.iter().map(|call| (call.name.as_str(), call.arguments.join("|"))).collect();
    assert_eq!(
        read,
        [("syncstore_b", "f(1, 2)|\"a,)\\\"\"|','|(x)NULL".to_owned()), ("syncstore_a", "NULL|\"c\"".to_owned())]
    );
    assert!(calls[1].within.starts_with("CLOSED("));
}
