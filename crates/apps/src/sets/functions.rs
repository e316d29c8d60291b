//! What templates of ApplicationSets can call: Sprig without what tells of the machine, and a few of Argo CD's own.

use landfall_gotemplate::{Args, Data, Func, FuncError, FuncMap, Type, Value};

use super::params::Param;
use super::slug::{Cut, sanitized, slug};

/// What Helm has and Argo CD has not, and what would ask the machine.
const NOT_HERE: [&str; 5] = ["getHostByName", "toToml", "fromToml", "toYamlPretty", "fromJsonArray"];

/// The longest slug where nothing is said.
const SLUG: usize = 50;

pub(crate) fn functions() -> FuncMap {
    let mut funcs = landfall_sprig::funcs();
    for name in NOT_HERE {
        funcs.remove(name);
    }
    funcs.insert("normalize", Func::new(&[Type::String], |_, args| Ok(Value::from(sanitized(&args.str(0))))));
    funcs.insert("slugify", Func::variadic(&[], Type::Any, |_, args| slugify(args)));
    funcs.insert(
        "fromYaml",
        Func::new(&[Type::String], |_, args| match read(&args.str(0))? {
            serde_json::Value::Null => Ok(Param::Map(Default::default()).data()),
            map @ serde_json::Value::Object(_) => Ok(Param::from(&map).data()),
            other => Err(unfit(&other, "map[string]interface {}")),
        }),
    );
    funcs.insert(
        "fromYamlArray",
        Func::new(&[Type::String], |_, args| match read(&args.str(0))? {
            serde_json::Value::Null => Ok(Param::List(Vec::new()).data()),
            list @ serde_json::Value::Array(_) => Ok(Param::from(&list).data()),
            other => Err(unfit(&other, "[]interface {}")),
        }),
    );
    funcs
}

/// What Go says of a value that is not what was wanted.
fn unfit(value: &serde_json::Value, wanted: &str) -> FuncError {
    let kind = match value {
        serde_json::Value::String(_) => "string",
        serde_json::Value::Number(_) => "number",
        serde_json::Value::Bool(_) => "bool",
        serde_json::Value::Array(_) => "array",
        _ => "object",
    };
    let words = "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal";
    FuncError::new(format!("{words} {kind} into Go value of type {wanted}"))
}

fn read(text: &str) -> Result<serde_json::Value, FuncError> {
    landfall_yaml::to_json(text).map_err(|error| FuncError::new(error.to_string()))
}

/// `slugify [longest [between words]] text`
fn slugify(args: Args<'_>) -> Result<Value, FuncError> {
    let wrong = |index: usize, wanted: &str| {
        FuncError::new(format!("slugify: argument {index} is {}, not {wanted}", args.any(index).type_name()))
    };
    let last = args.len().checked_sub(1);
    let (mut most, mut cut, mut text) = (SLUG, Cut::Words, String::new());
    for index in 0..args.len() {
        if Some(index) == last {
            let Data::Str(given) = args.any(index).data() else { return Err(wrong(index, "a string")) };
            text = given.to_string_lossy().into_owned();
        } else if index == 0 {
            let Data::Int(given) = args.any(index).data() else { return Err(wrong(index, "an int")) };
            most = usize::try_from(*given).unwrap_or(0);
        } else if index == 1 {
            let words = args.any(index).as_bool().ok_or_else(|| wrong(index, "a bool"))?;
            cut = if words { Cut::Words } else { Cut::Anywhere };
        }
    }
    Ok(Value::from(slug(&sanitized(&text), most, cut)))
}
