package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	sb "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

const group = 5

// How long a settlement may take. On a connection that is gone the SDK tries for most of a minute, and puts a new
// connection in the place of one that works each time (azservicebus 1.11.0, amqpLinks.go: recoverConnection).
const patience = 10 * time.Second

// One run of mixed traffic, logged line by line.
type traffic struct {
	client *sb.Client
	queue  string
	name   string
	plans  []string
	seed   int
	ttl    time.Duration
	end    time.Time

	mutex sync.Mutex
	log   *os.File
}

func soak(ctx context.Context, client *sb.Client) error {
	log, err := os.Create(os.Getenv("SOAK_LOG"))
	if err != nil {
		return err
	}
	defer log.Close()
	seed, err := strconv.ParseUint(os.Getenv("SOAK_SEED"), 10, 64)
	if err != nil {
		return err
	}
	r := &traffic{
		client: client,
		queue:  os.Getenv("SOAK_QUEUE"),
		name:   os.Getenv("SOAK_CLIENT"),
		plans:  mixture(),
		seed:   int(seed % 20),
		ttl:    seconds("SOAK_TIME_TO_LIVE_SECONDS"),
		end:    time.Now().Add(seconds("SOAK_SECONDS")),
		log:    log,
	}
	failed := make(chan error, 2)
	go func() { failed <- r.send(ctx) }()
	go func() { failed <- r.receive(ctx) }()
	if err := errors.Join(<-failed, <-failed); err != nil {
		return err
	}
	if err := client.Close(ctx); err != nil {
		r.note(err)
	}
	r.write("end")
	return nil
}

func mixture() (plans []string) {
	for _, kind := range []struct {
		plan  string
		share int
	}{{"complete", 12}, {"abandon", 3}, {"leave", 1}, {"expire", 1}, {"dead-letter", 2}, {"poison", 1}} {
		for range kind.share {
			plans = append(plans, kind.plan)
		}
	}
	return plans
}

func (r *traffic) write(words ...string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, err := fmt.Fprintln(r.log, strings.Join(words, " ")); err != nil {
		panic(err)
	}
}

func (r *traffic) note(err error) {
	code := fmt.Sprintf("%T", err)
	if of := (*sb.Error)(nil); errors.As(err, &of) {
		code = string(of.Code)
	}
	r.write("error", code, strings.Join(strings.Fields(err.Error()), " "))
}

func (r *traffic) message(number int) *sb.Message {
	plan, id := r.plans[(number*7+r.seed)%20], fmt.Sprintf("%s-%d", r.name, number)
	message := &sb.Message{Body: []byte("soak"), MessageID: &id, Subject: &plan}
	if plan == "expire" {
		message.TimeToLive = &r.ttl
	}
	return message
}

func (r *traffic) send(ctx context.Context) error {
	sender, err := r.client.NewSender(r.queue, nil)
	if err != nil {
		return err
	}
	pace := time.Duration(group / number("SOAK_RATE") * float64(time.Second))
	for number := 0; time.Now().Before(r.end); number += group {
		began := time.Now()
		var messages []*sb.Message
		for offset := range group {
			messages = append(messages, r.message(number+offset))
		}
		// One by one and together in turn.
		if (number/group)%2 == 1 {
			r.sendAll(messages, func() error { return sendBatch(ctx, sender, messages) })
		} else {
			for _, message := range messages {
				r.sendAll([]*sb.Message{message}, func() error { return sender.SendMessage(ctx, message, nil) })
			}
		}
		time.Sleep(pace - time.Since(began))
	}
	return sender.Close(ctx)
}

func (r *traffic) sendAll(messages []*sb.Message, send func() error) {
	for _, message := range messages {
		r.write("sending", *message.MessageID)
	}
	event := "sent"
	if err := send(); err != nil {
		r.note(err)
		event = "unconfirmed"
	}
	for _, message := range messages {
		r.write(event, *message.MessageID)
	}
}

func sendBatch(ctx context.Context, sender *sb.Sender, messages []*sb.Message) error {
	batch, err := sender.NewMessageBatch(ctx, nil)
	if err != nil {
		return err
	}
	for _, message := range messages {
		if err := batch.AddMessage(message, nil); err != nil {
			return err
		}
	}
	return sender.SendMessageBatch(ctx, batch, nil)
}

func (r *traffic) receive(ctx context.Context) error {
	receiver, err := r.client.NewReceiverForQueue(r.queue, nil)
	if err != nil {
		return err
	}
	for time.Now().Before(r.end) {
		patience, cancel := context.WithTimeout(ctx, time.Second)
		messages, err := receiver.ReceiveMessages(patience, 20, nil)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			r.note(err)
		}
		connected := true
		for _, message := range messages {
			connected = r.obey(ctx, receiver, message, connected)
		}
		// So that the fastest client does not take everything.
		time.Sleep(100 * time.Millisecond)
	}
	return receiver.Close(ctx)
}

// Does what the message asks for, unless the connection by which it came is gone: then its lock runs out, and it comes
// again. Returns whether that connection is still there.
func (r *traffic) obey(ctx context.Context, receiver *sb.Receiver, message *sb.ReceivedMessage, connected bool) bool {
	id, plan := message.MessageID, ""
	if message.Subject != nil {
		plan = *message.Subject
	}
	// This SDK counts this delivery too.
	failed := message.DeliveryCount - 1
	r.write("received", id, strconv.FormatUint(uint64(failed), 10))
	first := failed == 0
	if !connected || first && (plan == "leave" || plan == "expire") {
		r.write("left", id)
		return connected
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	settled := ""
	switch {
	case plan == "poison" || plan == "abandon" && first:
		r.write("abandoning", id)
		settled, err = "abandoned", receiver.AbandonMessage(ctx, message, nil)
	case plan == "dead-letter":
		r.write("dead-lettering", id)
		settled, err = "dead-lettered", receiver.DeadLetterMessage(ctx, message, nil)
	default:
		r.write("completing", id)
		settled, err = "completed", receiver.CompleteMessage(ctx, message, nil)
	}
	if err != nil {
		r.note(err)
		settled = "unsettled"
	}
	r.write(settled, id)
	return !lost(err)
}

// Whether the connection is gone. The error of a settlement whose patience ran out on the way tells no more than that.
func lost(err error) bool {
	of := (*sb.Error)(nil)
	return errors.As(err, &of) && of.Code == sb.CodeConnectionLost || errors.Is(err, context.DeadlineExceeded)
}
