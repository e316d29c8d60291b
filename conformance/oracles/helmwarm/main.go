// Helmwarm renders a chart again and again with Helm's own code in one process.
//
//	helmwarm CHART TIMES
//
// It prints the median of one rendering in nanoseconds on the first line and then what `helm template` would print.
// A rendering begins with the chart's files in memory and goes through the same action as `helm template` does.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
)

func read(root string) ([]*loader.BufferedFile, error) {
	var files []*loader.BufferedFile
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		files = append(files, &loader.BufferedFile{Name: filepath.ToSlash(name), Data: data})
		return err
	})
	return files, err
}

func render(files []*loader.BufferedFile) (string, error) {
	chart, err := loader.LoadFiles(files)
	if err != nil {
		return "", err
	}
	configuration := &action.Configuration{Log: func(string, ...any) {}, Capabilities: chartutil.DefaultCapabilities}
	install := action.NewInstall(configuration)
	install.DryRun = true
	install.DryRunOption = "client"
	install.ClientOnly = true
	install.Replace = true
	install.ReleaseName = "release-name"
	install.Namespace = "default"
	release, err := install.Run(chart, map[string]any{})
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	fmt.Fprintln(&out, strings.TrimSpace(release.Manifest))
	for _, hook := range release.Hooks {
		fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", hook.Path, hook.Manifest)
	}
	return out.String(), nil
}

func run() error {
	if len(os.Args) != 3 {
		return fmt.Errorf("helmwarm CHART TIMES")
	}
	times, err := strconv.Atoi(os.Args[2])
	if err != nil || times < 1 {
		return fmt.Errorf("%s is no number of times", os.Args[2])
	}
	files, err := read(os.Args[1])
	if err != nil {
		return err
	}
	var text string
	walls := make([]time.Duration, times)
	for i := range walls {
		begin := time.Now()
		if text, err = render(files); err != nil {
			return err
		}
		walls[i] = time.Since(begin)
	}
	sort.Slice(walls, func(a, b int) bool { return walls[a] < walls[b] })
	_, err = fmt.Printf("%d\n%s", walls[times/2].Nanoseconds(), text)
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "helmwarm:", err)
		os.Exit(1)
	}
}
