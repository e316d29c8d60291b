//! Go's `path` and, on Unix the same, `path/filepath`.

use landfall_gotemplate::{Func, FuncMap, Type, Value};

pub(crate) fn register(funcs: &mut FuncMap) {
    let mut text = |names: [&str; 2], map: fn(&[u8]) -> Vec<u8>| {
        for name in names {
            funcs.insert(name, Func::new(&[Type::String], move |_, a| Ok(Value::str(map(a.bytes(0))))));
        }
    };
    text(["base", "osBase"], base);
    text(["clean", "osClean"], clean);
    text(["dir", "osDir"], |path| {
        let end = memchr::memrchr(b'/', path).map_or(0, |at| at + 1);
        clean(&path[..end])
    });
    text(["ext", "osExt"], |path| {
        let name = memchr::memrchr(b'/', path).map_or(0, |at| at + 1);
        memchr::memrchr(b'.', &path[name..]).map_or(Vec::new(), |at| path[name + at..].to_vec())
    });
    for name in ["isAbs", "osIsAbs"] {
        funcs.insert(name, Func::new(&[Type::String], |_, a| Ok(Value::from(a.bytes(0).starts_with(b"/")))));
    }
}

fn base(path: &[u8]) -> Vec<u8> {
    if path.is_empty() {
        return b".".to_vec();
    }
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    if end == 0 {
        return b"/".to_vec();
    }
    let start = memchr::memrchr(b'/', &path[..end]).map_or(0, |at| at + 1);
    path[start..end].to_vec()
}

fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(part),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join(&b"/"[..]);
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", &joined[..]].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}
