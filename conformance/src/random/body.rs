//! Random template bodies: text, actions, control structures.

use super::expression::{Expressions, Want};
use super::tree::{Kind, Piece};
use crate::dice::Dice;

const TEXTS: &[&str] =
    &["text ", "\n", "  indented\n", "a: b\n", "- x\n", "{", "}", "# c\n", "\n\n", "é ", "\t", "end"];

/// Makes the items of a body.
pub(super) fn items(dice: &mut Dice, expressions: &Expressions, depth: u8, in_range: bool) -> Vec<Piece> {
    let count = 1 + dice.below(if depth == 0 { 3 } else { 2 });
    (0..count).map(|_| item(dice, expressions, depth, in_range)).collect()
}

fn open(dice: &mut Dice) -> &'static str {
    dice.pick(&["{{ ", "{{ ", "{{ ", "{{- ", "{{"])
}

fn close(dice: &mut Dice) -> &'static str {
    dice.pick(&[" }}", " }}", " }}", " -}}", "}}"])
}

/// An action that is one word or begins with one.
fn word(dice: &mut Dice, word: &str) -> String {
    format!("{}{word}{}", open(dice), close(dice))
}

fn item(dice: &mut Dice, expressions: &Expressions, depth: u8, in_range: bool) -> Piece {
    let new = || Piece::new(Kind::Item);
    let roll = if depth >= 2 { dice.below(55) } else { dice.below(112) };
    match roll {
        0..15 => Piece::text(Kind::Item, dice.pick(TEXTS)),
        15..50 => {
            let wants = [Want::Str, Want::Str, Want::Any, Want::Number, Want::Bool, Want::List, Want::Map];
            let want = wants[dice.below(wants.len())];
            new().and(open(dice)).with(expressions.pipeline(dice, want, 0)).and(close(dice))
        }
        50..53 => Piece::text(Kind::Item, dice.pick(&["{{/* c */}}", "{{- /* c */ -}}", "{{/* a\nb */ -}}\n"])),
        53..55 => {
            let assign = dice.pick(&[":=", "="]);
            new()
                .and(format!("{}$x {assign} ", open(dice)))
                .with(expressions.pipeline(dice, Want::Any, 0))
                .and(close(dice))
        }
        55..67 => {
            let mut piece = new().and(format!("{}if ", open(dice))).with(expressions.pipeline(dice, Want::Any, 1));
            piece = piece.and(close(dice)).list(items(dice, expressions, depth + 1, in_range));
            if dice.percent(30) {
                piece = piece.and(format!("{}else if ", open(dice))).with(expressions.pipeline(dice, Want::Bool, 1));
                piece = piece.and(close(dice)).list(items(dice, expressions, depth + 1, in_range));
            }
            if dice.percent(50) {
                piece = piece.and(word(dice, "else")).list(items(dice, expressions, depth + 1, in_range));
            }
            piece.and(word(dice, "end"))
        }
        67..77 => {
            let variable = dice.pick(&["", "", "$x := ", "$w := "]);
            let mut piece = new().and(format!("{}with {variable}", open(dice)));
            piece = piece.with(expressions.pipeline(dice, Want::Any, 1)).and(close(dice));
            piece = piece.list(items(dice, expressions, depth + 1, in_range));
            if dice.percent(20) {
                piece = piece.and(format!("{}else with {variable}", open(dice)));
                piece = piece.with(expressions.pipeline(dice, Want::Any, 1)).and(close(dice));
                piece = piece.list(items(dice, expressions, depth + 1, in_range));
            }
            if dice.percent(40) {
                piece = piece.and(word(dice, "else")).list(items(dice, expressions, depth + 1, in_range));
            }
            piece.and(word(dice, "end"))
        }
        100..104 => {
            // A map that grows in a loop.
            let mut piece = new().and("{{ $d := dict }}").and(format!("{}range $i, $e := ", open(dice)));
            piece = piece.with(expressions.pipeline(dice, Want::List, 1)).and(close(dice));
            let change = dice.pick(&[
                "{{ $_ := set $d (printf \"k%v\" $i) $e }}",
                "{{ $d = merge $d (dict (toString $e) $i) }}",
                "{{ $_ := set $d \"all\" (append (default list (get $d \"all\")) $e) }}",
                "{{ if hasKey $d \"n\" }}{{ $_ := unset $d \"n\" }}{{ else }}{{ $_ := set $d \"n\" $i }}{{ end }}",
            ]);
            piece = piece.and(change).list(items(dice, expressions, depth + 1, true)).and(word(dice, "end"));
            piece.and(dice.pick(&["{{ $d | toJson }}", "{{ toYaml $d }}", "{{ $d }}", "{{ len $d }}"]))
        }
        104..107 => {
            // Ranges in ranges, left early.
            let stop = dice.pick(&["{{ break }}", "{{ continue }}"]);
            let mut piece = new().and("{{ range $i, $a := ").with(expressions.pipeline(dice, Want::List, 1)).and(" }}");
            piece = piece.and("{{ range $k, $v := ").with(expressions.pipeline(dice, Want::Map, 1)).and(" }}");
            piece = piece
                .and("{{ if ")
                .with(expressions.pipeline(dice, Want::Bool, 1))
                .and(format!(" }}}}{stop}{{{{ end }}}}"));
            piece = piece.list(items(dice, expressions, depth + 1, true)).and("{{ $i }}/{{ $k }}={{ $v | toJson }};");
            piece.and("{{ else }}empty{{ end }}{{ else }}none{{ end }}")
        }
        107..109 => {
            let mut piece = new().and("{{ range $path, $bytes := $.Files.Glob \"");
            piece =
                piece.and(dice.pick(&["data/*", "**.txt", "data/t*", "nope", "{data,x}/*.txt", "[", "data/?ne.txt"]));
            piece.and("\" }}{{ $path }}:{{ $bytes | toString | b64enc }};{{ else }}none{{ end }}")
        }
        109..112 => {
            let (before, behind) = [
                ("{{ $v := ", " }}{{ $v = list $v 1 }}{{ $v | toJson }}"),
                ("{{ with dict \"a\" (", ") }}{{ .a | toYaml | nindent 2 }}{{ end }}"),
                ("{{ range 3 }}{{ . }}{{ $q := ", " }}{{ $q }}{{ end }}"),
                ("{{ printf \"%s\" (", ") | trunc 20 | trimSuffix \"-\" }}"),
            ][dice.below(4)];
            new().and(before).with(expressions.pipeline(dice, Want::Any, 1)).and(behind)
        }
        77..92 => {
            let variables = dice.pick(&["", "$x := ", "$i, $x := ", "$_, $x := ", "$x = "]);
            let want = if dice.percent(60) { Want::List } else { Want::Map };
            let mut piece = new().and(format!("{}range {variables}", open(dice)));
            piece = piece.with(expressions.pipeline(dice, want, 1)).and(close(dice));
            piece = piece.list(items(dice, expressions, depth + 1, true));
            if dice.percent(30) {
                piece = piece.and(word(dice, "else")).list(items(dice, expressions, depth + 1, in_range));
            }
            piece.and(word(dice, "end"))
        }
        92..95 => {
            let name = dice.pick(&["named.a", "named.b"]);
            new()
                .and(format!("{}template \"{name}\" ", open(dice)))
                .with(expressions.pipeline(dice, Want::Any, 1))
                .and(close(dice))
        }
        95..97 => {
            let name = format!("block.{}", dice.below(1000));
            new()
                .and(format!("{}block \"{name}\" ", open(dice)))
                .and("$")
                .and(close(dice))
                .and("{{ $x := .Values.str }}")
                .list(items(dice, expressions, depth + 1, false))
                .and(word(dice, "end"))
        }
        _ if in_range => {
            Piece::text(Kind::Item, word(dice, if depth.is_multiple_of(2) { "break" } else { "continue" }))
        }
        _ => Piece::text(Kind::Item, " "),
    }
}
