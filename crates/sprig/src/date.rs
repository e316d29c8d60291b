//! Sprig's `date.go`: times by Go's layouts.

mod layout;
mod moment;
mod parse;

use jiff::tz::TimeZone;
use landfall_gotemplate::{CallCtx, Data, Func, FuncError, FuncMap, Type, Value};

use crate::cast::parse_int_radix;
use crate::context::Context;
use crate::duration::{SECOND, duration_text, parse_duration, round_to};
use moment::{Moment, TIME, Zone};

/// A time in a zone as Go's `Time.Format` writes it.
pub fn format_time(layout: &str, at: jiff::Timestamp, zone: &jiff::tz::TimeZone) -> String {
    moment::Moment::new(at, moment::Zone::Place(zone.clone())).format(layout)
}

/// A moment in UTC as a template sees a `time.Time`; nothing is the zero time.
pub fn time(at: Option<jiff::Timestamp>) -> Value {
    Value::host(at.map_or_else(Moment::zero, |at| Moment::new(at, Zone::UTC)))
}

pub(crate) fn register(funcs: &mut FuncMap) {
    funcs.insert("now", Func::new(&[], |ctx, _| now(ctx).map(Value::host)));
    funcs.insert("date", Func::new(&[Type::String, Type::Any], |ctx, a| in_zone(ctx, a.bytes(0), a.any(1), "Local")));
    for name in ["dateInZone", "date_in_zone"] {
        funcs.insert(
            name,
            Func::new(&[Type::String, Type::Any, Type::String], |ctx, a| in_zone(ctx, a.bytes(0), a.any(1), &a.str(2))),
        );
    }
    funcs.insert("htmlDate", Func::new(&[Type::Any], |ctx, a| in_zone(ctx, b"2006-01-02", a.any(0), "Local")));
    funcs.insert(
        "htmlDateInZone",
        Func::new(&[Type::Any, Type::String], |ctx, a| in_zone(ctx, b"2006-01-02", a.any(0), &a.str(1))),
    );
    for name in ["dateModify", "date_modify"] {
        funcs.insert(
            name,
            Func::new(&[Type::String, TIME], |_, a| {
                Ok(match parse_duration(a.bytes(0)) {
                    Ok(nanos) => Value::host(moment(a.any(1)).moved(nanos)),
                    Err(_) => a.any(1).clone(),
                })
            }),
        );
    }
    for name in ["mustDateModify", "must_date_modify"] {
        funcs.insert(
            name,
            Func::new(&[Type::String, TIME], |_, a| {
                let nanos = parse_duration(a.bytes(0)).map_err(FuncError::new)?;
                Ok(Value::host(moment(a.any(1)).moved(nanos)))
            }),
        );
    }
    let two = &[Type::String, Type::String];
    funcs.insert(
        "toDate",
        Func::new(two, |ctx, a| {
            let zone = Context::of(ctx)?.zone;
            Ok(Value::host(parse::parse(a.bytes(0), a.bytes(1), &zone).unwrap_or_else(|_| Moment::zero())))
        }),
    );
    funcs.insert(
        "mustToDate",
        Func::new(two, |ctx, a| {
            let zone = Context::of(ctx)?.zone;
            parse::parse(a.bytes(0), a.bytes(1), &zone).map(Value::host).map_err(FuncError::new)
        }),
    );
    funcs.insert("unixEpoch", Func::new(&[TIME], |_, a| Ok(Value::from(moment(a.any(0)).at.as_second().to_string()))));
    funcs.insert(
        "ago",
        Func::new(&[Type::Any], |ctx, a| {
            let now = now(ctx)?;
            let then = match a.any(0).data() {
                Data::Int32(_) => now.clone(),
                _ => taken(a.any(0)).unwrap_or_else(|| now.clone()),
            };
            Ok(Value::from(duration_text(round_to(now.since(&then), SECOND))))
        }),
    );
    funcs.insert(
        "duration",
        Func::new(&[Type::Any], |_, a| {
            let seconds = match a.any(0).data() {
                Data::Str(text) => match parse_int_radix(&text.to_string_lossy(), 10) {
                    Ok(seconds) | Err(crate::cast::NumberError::Range(seconds)) => seconds,
                    Err(crate::cast::NumberError::Syntax) => 0,
                },
                Data::Int64(seconds) => *seconds,
                _ => 0,
            };
            Ok(Value::from(duration_text(seconds.wrapping_mul(SECOND))))
        }),
    );
    funcs.insert(
        "durationRound",
        Func::new(&[Type::Any], |ctx, a| {
            let nanos = match a.any(0).data() {
                Data::Str(text) => parse_duration(text.as_bytes()).unwrap_or(0),
                Data::Int64(nanos) => *nanos,
                _ => match a.any(0).as_host::<Moment>() {
                    Some(then) => now(ctx)?.since(then),
                    None => 0,
                },
            };
            Ok(Value::from(rounded(nanos.unsigned_abs())))
        }),
    );
}

fn now(ctx: &mut CallCtx<'_>) -> Result<Moment, FuncError> {
    let context = Context::of(ctx)?;
    let running = context.clock.running().and_then(|running| i64::try_from(running.as_nanos()).ok());
    Ok(Moment { running, ..Moment::new(context.clock.now(), Zone::Place(context.zone)) })
}

fn moment(value: &Value) -> Moment {
    value.as_host::<Moment>().cloned().unwrap_or_else(Moment::zero)
}

/// What Sprig takes for a time: a time or whole seconds.
fn taken(value: &Value) -> Option<Moment> {
    match value.data() {
        Data::Int(seconds) | Data::Int64(seconds) => Some(Moment::unix(*seconds, Zone::UTC)),
        Data::Int32(seconds) => Some(Moment::unix((*seconds).into(), Zone::UTC)),
        _ => value.as_host::<Moment>().cloned(),
    }
}

/// Anything but a time or whole seconds, such as a number of a values file, is now; an unknown zone is UTC.
fn in_zone(ctx: &mut CallCtx<'_>, layout: &[u8], value: &Value, zone: &str) -> Result<Value, FuncError> {
    let at = match taken(value) {
        Some(moment) => moment.at,
        None => now(ctx)?.at,
    };
    let zone = match zone {
        "Local" => Context::of(ctx)?.zone,
        "" | "UTC" => TimeZone::UTC,
        name => TimeZone::get(name).unwrap_or(TimeZone::UTC),
    };
    Ok(Value::str(Moment::new(at, Zone::Place(zone)).written(layout)))
}

/// A duration in its largest unit.
fn rounded(nanos: u64) -> String {
    const HOUR: u64 = 3600 * SECOND as u64;
    let units = [
        (HOUR * 24 * 365, "y"),
        (HOUR * 24 * 30, "mo"),
        (HOUR * 24, "d"),
        (HOUR, "h"),
        (60 * SECOND as u64, "m"),
        (SECOND as u64, "s"),
    ];
    match units.iter().find(|(unit, _)| nanos > *unit) {
        Some((unit, name)) => format!("{}{name}", nanos / unit),
        None => "0s".to_owned(),
    }
}
