// Keeps a namespace busy with azservicebus of azure-sdk-for-go: `soak` or `throughput`. See the README of this folder's
// parent.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	sb "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

func main() {
	programs := map[string]func(context.Context, *sb.Client) error{"soak": soak, "throughput": throughput}
	program := programs[os.Args[len(os.Args)-1]]
	if program == nil {
		fmt.Fprintln(os.Stderr, "give soak or throughput")
		os.Exit(2)
	}
	if err := run(program); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(program func(context.Context, *sb.Client) error) error {
	client, err := sb.NewClientFromConnectionString(os.Getenv("SERVICE_BUS_CONNECTION_STRING"), nil)
	if err != nil {
		return err
	}
	ctx := context.Background()
	defer client.Close(ctx)
	return program(ctx, client)
}

// A number of the environment.
func number(name string) float64 {
	value, err := strconv.ParseFloat(os.Getenv(name), 64)
	if err != nil {
		panic(fmt.Sprintf("%s is no number", name))
	}
	return value
}

func seconds(name string) time.Duration {
	return time.Duration(number(name) * float64(time.Second))
}
