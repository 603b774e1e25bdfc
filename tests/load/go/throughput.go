package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	sb "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

const (
	inFlight    = 64
	batchSize   = 100
	receiveSize = 100
)

// Sends and receives as fast as it goes, and prints the rates as JSON.
func throughput(ctx context.Context, client *sb.Client) error {
	queue := os.Getenv("LOAD_QUEUE")
	sender, err := client.NewSender(queue, nil)
	if err != nil {
		return err
	}
	receiver, err := client.NewReceiverForQueue(queue, nil)
	if err != nil {
		return err
	}
	single, pipelined := int(number("LOAD_SINGLE")), int(number("LOAD_PIPELINED"))
	batch, warmUp := int(number("LOAD_BATCH")), int(number("LOAD_WARM_UP"))
	message := func() *sb.Message { return &sb.Message{Body: make([]byte, int(number("LOAD_BODY")))} }

	one := func() error { return sender.SendMessage(ctx, message(), nil) }
	sendSingle := func(count int) error {
		for range count {
			if err := one(); err != nil {
				return err
			}
		}
		return nil
	}
	sendPipelined := func(count int) error { return inParallel(count, one) }
	sendBatches := func(count int) error {
		for range count / batchSize {
			messages := make([]*sb.Message, batchSize)
			for index := range messages {
				messages[index] = message()
			}
			if err := sendBatch(ctx, sender, messages); err != nil {
				return err
			}
		}
		return nil
	}
	receive := func(count int) error {
		for count > 0 {
			messages, err := receiver.ReceiveMessages(ctx, min(count, receiveSize), nil)
			if err != nil {
				return err
			}
			each := make(chan *sb.ReceivedMessage, len(messages))
			for _, message := range messages {
				each <- message
			}
			err = inParallel(len(messages), func() error { return receiver.CompleteMessage(ctx, <-each, nil) })
			if err != nil {
				return err
			}
			count -= len(messages)
		}
		return nil
	}

	for _, send := range []func(int) error{sendSingle, sendPipelined, sendBatches} {
		if err := send(warmUp); err != nil {
			return err
		}
	}
	if err := receive(3 * warmUp); err != nil {
		return err
	}
	rates := map[string]float64{}
	for _, step := range []struct {
		name  string
		count int
		run   func(int) error
	}{
		{"single", single, sendSingle},
		{"pipelined", pipelined, sendPipelined},
		{"batch", batch, sendBatches},
		{"receive", single + pipelined + batch, receive},
	} {
		began := time.Now()
		if err := step.run(step.count); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		rates[step.name] = float64(step.count) / time.Since(began).Seconds()
	}
	if err := receiver.Close(ctx); err != nil {
		return err
	}
	if err := sender.Close(ctx); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(rates)
}

// Runs `work` count times, at most 64 at the same time.
func inParallel(count int, work func() error) error {
	var all sync.WaitGroup
	turns, failed := make(chan struct{}, count), make(chan error, inFlight)
	for range count {
		turns <- struct{}{}
	}
	close(turns)
	for range min(count, inFlight) {
		all.Go(func() {
			for range turns {
				if err := work(); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	close(failed)
	return <-failed
}
