// What the program is told about the world it runs in, and the SDK clients that reach it.
//
// Everything comes from the environment, so that the same program runs against the lab, Microsoft's emulator or a real
// namespace. Two ways lead in: a connection string over plain AMQP, or a token of Microsoft Entra ID over TLS
// (SSL_CERT_FILE names the CA).

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	sb "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

const (
	// Long enough for a busy machine, and never waited for when all is well.
	patience = 30 * time.Second
	// How long an empty queue is listened to before it counts as empty.
	emptyAfter = 500 * time.Millisecond

	byConnectionString = "connection-string"
	byToken            = "token"
)

// One way into one namespace.
type world struct {
	way              string
	connectionString string

	namespace, authority, tenantID, clientID, clientSecret string

	queue, shortLockQueue, duplicateDetectionQueue, twoDeliveriesQueue, smallQueue string
	expiringQueue, sessionsQueue                                                   string
	missingQueue, forbiddenQueue                                                   string
}

func newWorld() (*world, error) {
	w := &world{}
	variables := map[string]*string{
		"CONFORMANCE_WAY":                       &w.way,
		"CONFORMANCE_QUEUE":                     &w.queue,
		"CONFORMANCE_SHORT_LOCK_QUEUE":          &w.shortLockQueue,
		"CONFORMANCE_DUPLICATE_DETECTION_QUEUE": &w.duplicateDetectionQueue,
		"CONFORMANCE_TWO_DELIVERIES_QUEUE":      &w.twoDeliveriesQueue,
		"CONFORMANCE_EXPIRING_QUEUE":            &w.expiringQueue,
		"CONFORMANCE_SESSIONS_QUEUE":            &w.sessionsQueue,
		"CONFORMANCE_SMALL_QUEUE":               &w.smallQueue,
		"CONFORMANCE_MISSING_QUEUE":             &w.missingQueue,
		"CONFORMANCE_FORBIDDEN_QUEUE":           &w.forbiddenQueue,
	}
	switch way := os.Getenv("CONFORMANCE_WAY"); way {
	case byConnectionString:
		variables["SERVICE_BUS_CONNECTION_STRING"] = &w.connectionString
	case byToken:
		variables["SERVICE_BUS_NAMESPACE"] = &w.namespace
		variables["AZURE_AUTHORITY_HOST"] = &w.authority
		variables["AZURE_TENANT_ID"] = &w.tenantID
		variables["AZURE_CLIENT_ID"] = &w.clientID
		variables["AZURE_CLIENT_SECRET"] = &w.clientSecret
	default:
		return nil, fmt.Errorf("CONFORMANCE_WAY is %q: expected %s or %s", way, byConnectionString, byToken)
	}
	for name, value := range variables {
		if *value = os.Getenv(name); *value == "" {
			return nil, fmt.Errorf("%s is not set", name)
		}
	}
	return w, nil
}

// The application's credential, as its owner would write it.
func (w *world) credential(secret string) (azcore.TokenCredential, error) {
	options := &azidentity.ClientSecretCredentialOptions{
		// A private authority is in no public instance metadata.
		DisableInstanceDiscovery: true,
	}
	options.Cloud = cloud.Configuration{ActiveDirectoryAuthorityHost: w.authority}
	return azidentity.NewClientSecretCredential(w.tenantID, w.clientID, secret, options)
}

// Another way in than the world's own.
type variation struct {
	connectionString, secret string
	// For cases that expect a refusal: it should come at once.
	noRetry bool
}

// What a case fails with: it unwinds to `attempt`, so that a case reads as what it does.
type failure struct{ error }

// Fails the case for any error.
func check(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// Fails the case unless `holds`.
func expect(holds bool, format string, arguments ...any) {
	if !holds {
		panic(failure{fmt.Errorf(format, arguments...)})
	}
}

// What an action gives that must not fail.
func must[T any](value T, err error) T {
	check(err)
	return value
}

// Runs a case, and gives why it failed.
func (w *world) attempt(run func(*world)) (err error) {
	defer func() {
		switch thrown := recover().(type) {
		case nil:
		case failure:
			err = thrown.error
		default:
			err = fmt.Errorf("panic: %v", thrown)
		}
	}()
	run(w)
	return nil
}

// A client with the time that a case has.
type session struct {
	context.Context
	client *sb.Client
}

// Runs a case's body with a client, and closes it.
func (w *world) with(other variation, body func(session)) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	options := &sb.ClientOptions{}
	if other.noRetry {
		options.RetryOptions.MaxRetries = -1
	}
	var client *sb.Client
	if w.way == byConnectionString {
		connectionString := cmp.Or(other.connectionString, w.connectionString)
		client = must(sb.NewClientFromConnectionString(connectionString, options))
	} else {
		credential := must(w.credential(cmp.Or(other.secret, w.clientSecret)))
		client = must(sb.NewClient(w.namespace, credential, options))
	}
	defer func() { check(client.Close(ctx)) }()
	body(session{ctx, client})
}

// Empties the queues and their dead-letter queues, so that a failed case spoils no other.
func drain(w *world) {
	w.with(variation{}, func(s session) {
		for _, queue := range []string{
			w.queue, w.shortLockQueue, w.duplicateDetectionQueue, w.twoDeliveriesQueue, w.smallQueue,
			w.expiringQueue,
		} {
			for _, subQueue := range []sb.SubQueue{0, sb.SubQueueDeadLetter} {
				receiver := s.receiver(queue, sb.ReceiverOptions{ReceiveMode: sb.ReceiveModeReceiveAndDelete, SubQueue: subQueue})
				for len(receiver.upTo(100, emptyAfter)) > 0 {
					// Deleted by being received.
				}
			}
		}
		for _, sessionID := range s.sessions(w.sessionsQueue) {
			options := sb.SessionReceiverOptions{ReceiveMode: sb.ReceiveModeReceiveAndDelete}
			receiver := must(s.client.AcceptSessionForQueue(s, w.sessionsQueue, sessionID, &options))
			waiting, cancel := context.WithTimeout(s, emptyAfter)
			for err := error(nil); err == nil; {
				_, err = receiver.ReceiveMessages(waiting, 100, nil)
			}
			cancel()
		}
	})
}

// Sends each message by itself, and gives the first error.
func (s session) trySend(queue string, messages ...*sb.Message) error {
	sender := must(s.client.NewSender(queue, nil))
	defer func() { check(sender.Close(s)) }()
	for _, message := range messages {
		if err := sender.SendMessage(s, message, nil); err != nil {
			return err
		}
	}
	return nil
}

// Sends each message by itself.
func (s session) send(queue string, messages ...*sb.Message) { check(s.trySend(queue, messages...)) }

// A message with nothing but a text.
func text(body string) *sb.Message { return &sb.Message{Body: []byte(body)} }

// A receiver that fails its case when it fails. It ends with the client.
type receiver struct {
	session
	*sb.Receiver
}

func (s session) receiver(queue string, options sb.ReceiverOptions) receiver {
	return receiver{s, must(s.client.NewReceiverForQueue(queue, &options))}
}

func (s session) peekLock(queue string) receiver { return s.receiver(queue, sb.ReceiverOptions{}) }

func (s session) deadLetters(queue string) receiver {
	return s.receiver(queue, sb.ReceiverOptions{SubQueue: sb.SubQueueDeadLetter})
}

// Up to `count` messages, and none when none comes in time: the SDK itself waits as long as its context lives.
func (r receiver) upTo(count int, wait time.Duration) []*sb.ReceivedMessage {
	waiting, cancel := context.WithTimeout(r, wait)
	defer cancel()
	messages, err := r.ReceiveMessages(waiting, count, nil)
	if !errors.Is(err, context.DeadlineExceeded) || r.Err() != nil {
		check(err)
	}
	return messages
}

// Exactly `count` messages, however many receives it takes.
func (r receiver) exactly(count int) []*sb.ReceivedMessage {
	var messages []*sb.ReceivedMessage
	for len(messages) < count {
		more := r.upTo(count-len(messages), patience)
		expect(len(more) > 0, "%d of %d messages came in %s", len(messages), count, patience)
		messages = append(messages, more...)
	}
	return messages
}

func (r receiver) one() *sb.ReceivedMessage { return r.exactly(1)[0] }

func (r receiver) complete(message *sb.ReceivedMessage) { check(r.CompleteMessage(r, message, nil)) }

// Nothing can be received.
func (r receiver) expectEmpty() {
	left := r.upTo(1, emptyAfter)
	if len(left) > 0 {
		expect(false, "%s is still there", left[0].MessageID)
	}
}
