// Runs the cases with Microsoft's unmodified Go SDK against the namespace that the environment names.
//
// One line a case, `ok NAME`, `not ok NAME: reason` or `n/a NAME: reason`; the last line is JSON with the versions and the
// counts.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// A case, by the name that all languages have for it.
type testCase struct {
	name string
	run  func(*world)
	// Why the SDK cannot do it; then there is nothing to run.
	notApplicable string
}

func main() {
	world, err := newWorld()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	passed, failed := 0, 0
	for _, testCase := range cases(world.way) {
		if testCase.notApplicable != "" {
			fmt.Printf("n/a %s: %s\n", testCase.name, testCase.notApplicable)
			continue
		}
		if err := world.attempt(testCase.run); err != nil {
			failed++
			fmt.Printf("not ok %s: %s\n", testCase.name, oneLine(err))
			if err := world.attempt(drain); err != nil {
				fmt.Printf("# the queues could not be emptied: %s\n", oneLine(err))
			}
			continue
		}
		passed++
		fmt.Printf("ok %s\n", testCase.name)
	}
	summary, err := json.Marshal(map[string]any{
		"sdk":     versions("azservicebus", "azidentity"),
		"runtime": "Go " + strings.TrimPrefix(runtime.Version(), "go"),
		"way":     world.way,
		"passed":  passed,
		"failed":  failed,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println(string(summary))
	if passed == 0 || failed > 0 {
		os.Exit(1)
	}
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// The versions that were built in of the modules whose paths end so.
func versions(names ...string) string {
	var found []string
	build, _ := debug.ReadBuildInfo()
	for _, name := range names {
		for _, module := range build.Deps {
			if strings.HasSuffix(module.Path, "/"+name) {
				found = append(found, name+" "+strings.TrimPrefix(module.Version, "v"))
			}
		}
	}
	return strings.Join(found, ", ")
}
