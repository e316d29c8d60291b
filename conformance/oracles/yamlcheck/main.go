// Yamlcheck answers what sigs.k8s.io/yaml and go-yaml v3 make of values and texts.
//
// It reads one JSON request a line and writes one JSON answer a line:
//
//	{"op":"emit","value":…}    the text of sigs Marshal
//	{"op":"pretty","value":…}  the text of the v3 encoder with an indentation of 2
//	{"op":"json","text":"…"}   the JSON of sigs YAMLToJSON
//	{"op":"strict","text":"…"} the JSON of sigs YAMLToJSONStrict
//
// An answer is {"ok":"…"} or {"err":"…"}. Requests are read with numbers as float64, as Helm holds values.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

type request struct {
	Op    string `json:"op"`
	Value any    `json:"value"`
	Text  string `json:"text"`
}

type answer struct {
	Ok  *string `json:"ok,omitempty"`
	Err *string `json:"err,omitempty"`
}

func ask(r request) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	switch r.Op {
	case "emit":
		return yaml.Marshal(r.Value)
	case "pretty":
		var buffer bytes.Buffer
		encoder := yamlv3.NewEncoder(&buffer)
		encoder.SetIndent(2)
		err := encoder.Encode(r.Value)
		return buffer.Bytes(), err
	case "json":
		return yaml.YAMLToJSON([]byte(r.Text))
	case "strict":
		return yaml.YAMLToJSONStrict([]byte(r.Text))
	}
	return nil, fmt.Errorf("unknown op %q", r.Op)
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	decoder := json.NewDecoder(in)
	for {
		var r request
		if err := decoder.Decode(&r); err != nil {
			return
		}
		result, err := ask(r)
		var a answer
		if err != nil {
			text := err.Error()
			a.Err = &text
		} else {
			text := string(result)
			a.Ok = &text
		}
		if err := encoder.Encode(a); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
