// Sprigcheck answers what Helm 3's template engine makes of expressions.
//
// It reads JSON from stdin: first the values of the chart, then one string an expression, each a whole template. It
// writes one JSON answer a line: {"ok":"…"} or {"err":"…"}.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

type answer struct {
	Ok  *string `json:"ok,omitempty"`
	Err *string `json:"err,omitempty"`
}

func render(expression string, values map[string]any) (string, error) {
	c := &chart.Chart{
		Metadata:  &chart.Metadata{Name: "c", Version: "0.1.0", APIVersion: "v2"},
		Templates: []*chart.File{{Name: "templates/t", Data: []byte(expression)}},
	}
	top := chartutil.Values{"Values": values, "Chart": c.Metadata, "Release": map[string]any{"Name": "r"}}
	files, err := engine.Render(c, top)
	if err != nil {
		return "", err
	}
	return files["c/templates/t"], nil
}

func main() {
	decoder := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 1<<20))
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	var text json.RawMessage
	if err := decoder.Decode(&text); err != nil {
		os.Exit(1)
	}
	for {
		var expression string
		if err := decoder.Decode(&expression); err != nil {
			return
		}
		// Fresh values for each expression: `set` and `merge` write into them.
		var values map[string]any
		if err := json.Unmarshal(text, &values); err != nil {
			os.Exit(1)
		}
		var a answer
		if result, err := render(expression, values); err != nil {
			text := err.Error()
			a.Err = &text
		} else {
			a.Ok = &result
		}
		if err := encoder.Encode(a); err != nil {
			os.Exit(1)
		}
	}
}
