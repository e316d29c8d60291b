// Answers of Go's own text/template, for the tables of this crate's tests.
//
//	go run . < cases.txt > cases.golden
//
// A case is a template's text; cases are separated by lines of "====". The answer is the output, or "PARSE " or
// "EXEC " and the error behind what had been written.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/template"
)

const values = `{"int": 5, "float": 1.5, "big": 1000000, "bigger": 123456789, "small": 0.000001, "neg": -3,
"str": "hello", "empty": "", "quoted": "a\"b\\c", "uni": "héllo \u00a0\u0007", "yes": true, "no": false, "nul": null,
"list": [1, "a", true, null, 1.5], "elist": [], "emap": {}, "names": ["x", "y", "z"],
"m": {"b": 1, "a": 2, "10": "x", "9": "y", "C": 3, "_x": 4, "a-b": 1}, "deep": {"a": {"b": {"c": "leaf"}}}}`

func main() {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	cases := strings.Split(strings.TrimSuffix(string(input), "\n"), "\n====\n")
	for i, text := range cases {
		if i > 0 {
			fmt.Print("\n====\n")
		}
		fmt.Print(answer(text))
	}
	fmt.Println()
}

func answer(text string) string {
	option := "missingkey=zero"
	if rest, ok := strings.CutPrefix(text, "#"); ok {
		option, text, _ = strings.Cut(rest, "\n")
	}
	var data map[string]interface{}
	if err := json.Unmarshal([]byte(values), &data); err != nil {
		panic(err)
	}
	data["strings"] = []string{"p", "q"}
	data["labels"] = map[string]string{"k": "v"}
	data["bytes"] = []byte("hi")
	data["i64"] = int64(7)
	data["ints"] = []int{0, 1, 2}
	data["nilmap"] = map[string]interface{}(nil)
	data["nillist"] = []interface{}(nil)
	funcs := template.FuncMap{
		"upper": strings.ToUpper,
		"rep":   func(n int, s string) string { return strings.Repeat(s, n) },
		"add":   func(a, b int64) int64 { return a + b },
		"half":  func(f float64) float64 { return f / 2 },
		"flag":  func(b bool) bool { return !b },
		"join":  func(sep string, parts ...string) string { return strings.Join(parts, sep) },
		"list":  func(v ...interface{}) []interface{} { return v },
		"keys":  func(m map[string]interface{}) int { return len(m) },
		"first": func(l []interface{}) interface{} { return l[0] },
		"id":    func(v interface{}) interface{} { return v },
		"boom":  func() (string, error) { return "", fmt.Errorf("it broke") },
		"niladic": func() map[string]interface{} { return map[string]interface{}{"a": 1} },
		"set": func(m map[string]interface{}, k string, v interface{}) map[string]interface{} { m[k] = v; return m },
	}
	t := template.New("gotpl").Option(option).Funcs(funcs)
	if _, err := t.New("t").Parse(text); err != nil {
		return "PARSE " + err.Error()
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, "t", map[string]interface{}{"Values": data}); err != nil {
		return out.String() + "EXEC " + err.Error()
	}
	return out.String()
}
