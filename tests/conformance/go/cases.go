// What a user of `azservicebus` may rely on, one function a case. A case leaves the queues empty.

package main

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	sb "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// This SDK counts the delivery at hand too, unlike the others and what is on the wire.
const firstDelivery = 1

func sendReceiveComplete(w *world) {
	w.with(variation{}, func(s session) {
		s.send(w.queue, &sb.Message{Body: []byte("hello"), MessageID: to.Ptr("one")})
		receiver := s.peekLock(w.queue)
		message := receiver.one()
		expect(string(message.Body) == "hello" && message.MessageID == "one", "another message: %s", message.MessageID)
		expect(message.DeliveryCount == firstDelivery, "delivery count %d", message.DeliveryCount)
		expect(*message.SequenceNumber >= 1, "sequence number %d", *message.SequenceNumber)
		expect(message.LockToken != [16]byte{}, "no lock token")
		now := time.Now()
		expect(!message.EnqueuedTime.After(now) && message.LockedUntil.After(now),
			"enqueued %s, locked until %s, now %s", message.EnqueuedTime, message.LockedUntil, now)
		receiver.complete(message)
		receiver.expectEmpty()
	})
}

func propertiesArriveAsTheyWereSent(w *world) {
	sent := &sb.Message{
		Body:             []byte("body"),
		MessageID:        to.Ptr("id-1"),
		CorrelationID:    to.Ptr("correlation-1"),
		ContentType:      to.Ptr("application/octet-stream"),
		Subject:          to.Ptr("subject-1"),
		To:               to.Ptr("to-1"),
		ReplyTo:          to.Ptr("reply-1"),
		ReplyToSessionID: to.Ptr("reply-session-1"),
		PartitionKey:     to.Ptr("partition-1"),
		TimeToLive:       to.Ptr(time.Hour),
		ApplicationProperties: map[string]any{
			"text": "Gruß", "int": int32(-8), "long": int64(-1 << 40), "float": 1.5, "bool": true,
			"time": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "nothing": nil, "bytes": []byte{1, 2},
		},
	}
	w.with(variation{}, func(s session) {
		s.send(w.queue, sent)
		receiver := s.peekLock(w.queue)
		message := receiver.one()
		receiver.complete(message)
		for name, values := range map[string][2]*string{
			"message id":          {sent.MessageID, &message.MessageID},
			"correlation id":      {sent.CorrelationID, message.CorrelationID},
			"content type":        {sent.ContentType, message.ContentType},
			"subject":             {sent.Subject, message.Subject},
			"to":                  {sent.To, message.To},
			"reply to":            {sent.ReplyTo, message.ReplyTo},
			"reply to session id": {sent.ReplyToSessionID, message.ReplyToSessionID},
			"partition key":       {sent.PartitionKey, message.PartitionKey},
		} {
			expect(values[1] != nil && *values[0] == *values[1], "another %s", name)
		}
		expect(*message.TimeToLive == time.Hour, "time to live %s", message.TimeToLive)
		expect(message.ExpiresAt.Equal(message.EnqueuedTime.Add(time.Hour)), "expires at %s", message.ExpiresAt)
		received := message.ApplicationProperties
		expect(received["time"].(time.Time).Equal(sent.ApplicationProperties["time"].(time.Time)), "%v", received["time"])
		received["time"] = sent.ApplicationProperties["time"]
		expect(reflect.DeepEqual(received, sent.ApplicationProperties), "%v", received)
	})
}

func aBinaryBodyArrivesAsItWasSent(w *world) { w.sendAndReceive([]byte{0x00, 0xff, 0xfe, 0x20}) }

func carries200Kilobytes(w *world) { w.sendAndReceive(bytes.Repeat([]byte("abcdefgh"), 25*1024)) }

func (w *world) sendAndReceive(body []byte) {
	w.with(variation{}, func(s session) {
		s.send(w.queue, &sb.Message{Body: body})
		receiver := s.peekLock(w.queue)
		message := receiver.one()
		receiver.complete(message)
		expect(bytes.Equal(message.Body, body), "%d other bytes", len(message.Body))
	})
}

func aMessageWithoutAnIDCanBeSettled(w *world) {
	w.with(variation{}, func(s session) {
		s.send(w.queue, text("no id"))
		receiver := s.peekLock(w.queue)
		receiver.complete(receiver.one())
		receiver.expectEmpty()
	})
}

func completesInAnyOrder(w *world) {
	w.with(variation{}, func(s session) {
		s.send(w.queue, text("0"), text("1"), text("2"), text("3"), text("4"))
		receiver := s.peekLock(w.queue)
		messages := receiver.exactly(5)
		for n, message := range messages {
			expect(string(message.Body) == fmt.Sprint(n), "%s at place %d", message.Body, n)
		}
		for _, n := range []int{3, 0, 4, 2, 1} {
			receiver.complete(messages[n])
		}
		receiver.expectEmpty()
	})
}

func abandonRaisesTheDeliveryCount(w *world) {
	w.with(variation{}, func(s session) {
		s.send(w.queue, text("again"))
		receiver := s.peekLock(w.queue)
		first := receiver.one()
		check(receiver.AbandonMessage(s, first, nil))
		second := receiver.one()
		expect(second.DeliveryCount == firstDelivery+1, "delivery count %d", second.DeliveryCount)
		expect(*second.SequenceNumber == *first.SequenceNumber, "another message")
		expect(second.LockToken != first.LockToken, "the same lock token")
		receiver.complete(second)
	})
}

func deadLettersWithReasonAndDescription(w *world) {
	w.with(variation{}, func(s session) {
		s.send(w.queue, &sb.Message{
			Body: []byte("bad"), MessageID: to.Ptr("bad-1"), ApplicationProperties: map[string]any{"kept": "yes"},
		})
		receiver := s.peekLock(w.queue)
		check(receiver.DeadLetterMessage(s, receiver.one(), &sb.DeadLetterOptions{
			Reason: to.Ptr("Unreadable"), ErrorDescription: to.Ptr("not JSON"),
		}))
		receiver.expectEmpty()
		deadLetters := s.deadLetters(w.queue)
		dead := deadLetters.one()
		expect(dead.MessageID == "bad-1" && string(dead.Body) == "bad", "another message: %s", dead.MessageID)
		expect(*dead.DeadLetterReason == "Unreadable", "reason %s", *dead.DeadLetterReason)
		expect(*dead.DeadLetterErrorDescription == "not JSON", "description %s", *dead.DeadLetterErrorDescription)
		expect(dead.ApplicationProperties["kept"] == "yes", "%v", dead.ApplicationProperties)
		deadLetters.complete(dead)
		deadLetters.expectEmpty()
	})
}

func deadLettersAfterTheLastDelivery(w *world) {
	w.with(variation{}, func(s session) {
		s.send(w.twoDeliveriesQueue, text("poison"))
		receiver := s.peekLock(w.twoDeliveriesQueue)
		for range 2 {
			check(receiver.AbandonMessage(s, receiver.one(), nil))
		}
		deadLetters := s.deadLetters(w.twoDeliveriesQueue)
		dead := deadLetters.one()
		expect(*dead.DeadLetterReason == "MaxDeliveryCountExceeded", "reason %s", *dead.DeadLetterReason)
		deadLetters.complete(dead)
	})
}

func aBatchArrivesWholeAndInOrder(w *world) {
	w.with(variation{}, func(s session) {
		sender := must(s.client.NewSender(w.queue, nil))
		batch := must(sender.NewMessageBatch(s, nil))
		for n := range 100 {
			check(batch.AddMessage(&sb.Message{
				Body: fmt.Appendf(nil, "item %d", n), MessageID: to.Ptr(fmt.Sprint(n)),
			}, nil))
		}
		check(sender.SendMessageBatch(s, batch, nil))
		receiver := s.peekLock(w.queue)
		for n, message := range receiver.exactly(100) {
			expect(message.MessageID == fmt.Sprint(n), "%s at place %d", message.MessageID, n)
			receiver.complete(message)
		}
		receiver.expectEmpty()
	})
}

func anEmptyQueueGivesNothingInTheTimeAskedFor(w *world) {
	w.with(variation{}, func(s session) {
		receiver := s.peekLock(w.queue)
		receiver.expectEmpty()
		// The receiver goes on working after it found nothing.
		s.send(w.queue, text("late"))
		receiver.complete(receiver.one())
	})
}

func receiveAndDeleteNeedsNoSettlement(w *world) {
	w.with(variation{}, func(s session) {
		s.send(w.queue, text("gone"))
		receiver := s.receiver(w.queue, sb.ReceiverOptions{ReceiveMode: sb.ReceiveModeReceiveAndDelete})
		expect(string(receiver.one().Body) == "gone", "another message")
		receiver.expectEmpty()
	})
}

func competingReceiversNeverShareAMessage(w *world) {
	w.with(variation{}, func(s session) {
		seen := map[string]bool{}
		for n := range 10 {
			s.send(w.queue, text(fmt.Sprint(n)))
		}
		for _, receiver := range []receiver{s.peekLock(w.queue), s.peekLock(w.queue)} {
			for _, message := range receiver.exactly(5) {
				seen[string(message.Body)] = true
				receiver.complete(message)
			}
		}
		expect(len(seen) == 10, "%v", seen)
	})
}

func sendersSideBySideLoseNothing(w *world) {
	w.with(variation{}, func(s session) {
		var group sync.WaitGroup
		errors := make(chan error, 4)
		for n := range 4 {
			group.Go(func() {
				var messages []*sb.Message
				for m := range 25 {
					messages = append(messages, text(fmt.Sprintf("%d-%d", n, m)))
				}
				errors <- w.attempt(func(*world) { s.send(w.queue, messages...) })
			})
		}
		group.Wait()
		for range 4 {
			check(<-errors)
		}
		receiver := s.peekLock(w.queue)
		seen := map[string]bool{}
		for _, message := range receiver.exactly(100) {
			seen[string(message.Body)] = true
			receiver.complete(message)
		}
		expect(len(seen) == 100, "%d different messages", len(seen))
		receiver.expectEmpty()
	})
}

func aDuplicateIsAcceptedAndDropped(w *world) {
	w.with(variation{}, func(s session) {
		id := to.Ptr(fmt.Sprintf("duplicate-%d", time.Now().UnixNano()))
		s.send(w.duplicateDetectionQueue,
			&sb.Message{Body: []byte("a"), MessageID: id}, &sb.Message{Body: []byte("b"), MessageID: id})
		receiver := s.peekLock(w.duplicateDetectionQueue)
		message := receiver.one()
		expect(string(message.Body) == "a", "%s", message.Body)
		receiver.complete(message)
		receiver.expectEmpty()
	})
}
