// What queues do besides taking and giving: schedule, defer, show, expire, renew. One function a case.

package main

import (
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	sb "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// The texts of messages, one after the other.
func bodies(messages []*sb.ReceivedMessage) string {
	var all string
	for _, message := range messages {
		all += string(message.Body)
	}
	return all
}

// The messages from a number on, without taking them.
func (r receiver) peek(count int, from int64) []*sb.ReceivedMessage {
	return must(r.PeekMessages(r, count, &sb.PeekMessagesOptions{FromSequenceNumber: &from}))
}

func (r receiver) deferred(numbers ...int64) []*sb.ReceivedMessage {
	return must(r.ReceiveDeferredMessages(r, numbers, nil))
}

// The numbers of so many messages, sent and deferred.
func (s session) sendAndDefer(queue string, count int) []int64 {
	for n := range count {
		s.send(queue, text(fmt.Sprint(n)))
	}
	receiver := s.peekLock(queue)
	var numbers []int64
	for _, message := range receiver.exactly(count) {
		check(receiver.DeferMessage(s, message, nil))
		numbers = append(numbers, *message.SequenceNumber)
	}
	receiver.expectEmpty()
	return numbers
}

func aScheduledMessageComesAtItsTime(w *world) {
	at := time.Now().Add(2 * time.Second).Truncate(time.Millisecond)
	w.with(variation{}, func(s session) {
		sender := must(s.client.NewSender(w.queue, nil))
		numbers := must(sender.ScheduleMessages(s, []*sb.Message{text("by request")}, at, nil))
		check(sender.SendMessage(s, &sb.Message{Body: []byte("by property"), ScheduledEnqueueTime: &at}, nil))
		receiver := s.peekLock(w.queue)
		peeked := receiver.peek(10, numbers[0])
		expect(len(peeked) == 2 && peeked[0].State == sb.MessageStateScheduled, "%d messages", len(peeked))
		messages := receiver.exactly(2)
		expect(bodies(messages) == "by requestby property", "%s", bodies(messages))
		for _, message := range messages {
			expect(message.EnqueuedTime.Sub(at).Abs() < 2*time.Millisecond, "enqueued %s, not %s", message.EnqueuedTime, at)
			expect(*message.SequenceNumber > numbers[0]+1, "it has no new number")
			receiver.complete(message)
		}
		receiver.expectEmpty()
	})
}

func aCancelledMessageNeverComes(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		sender := must(s.client.NewSender(w.queue, nil))
		later := time.Now().Add(time.Second)
		numbers := must(sender.ScheduleMessages(s, []*sb.Message{text("a"), text("b"), text("c")}, later, nil))
		check(sender.CancelScheduledMessages(s, []int64{numbers[0], numbers[2]}, nil))
		expectCode(sender.CancelScheduledMessages(s, numbers[:1], nil), sb.CodeNotFound)
		receiver := s.peekLock(w.queue)
		message := receiver.one()
		expect(string(message.Body) == "b", "%s", message.Body)
		receiver.complete(message)
		receiver.expectEmpty()
	})
}

func deferredMessagesComeByTheirNumbers(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		numbers := s.sendAndDefer(w.queue, 4)
		receiver := s.peekLock(w.queue)
		_, err := receiver.ReceiveDeferredMessages(s, []int64{numbers[0], 1_000_000_000}, nil)
		expectCode(err, sb.CodeNotFound)
		messages := receiver.deferred(numbers...)
		expect(bodies(messages) == "0123", "%s", bodies(messages))
		expect(messages[0].State == sb.MessageStateDeferred, "state %d", messages[0].State)
		expect(messages[0].LockedUntil.After(time.Now()), "locked until %s", messages[0].LockedUntil)
		receiver.complete(messages[0])
		check(receiver.AbandonMessage(s, messages[1], nil))
		check(receiver.DeadLetterMessage(s, messages[2], &sb.DeadLetterOptions{Reason: to.Ptr("Unreadable")}))
		check(receiver.DeferMessage(s, messages[3], nil))
		_, err = receiver.ReceiveDeferredMessages(s, numbers[:1], nil)
		expectCode(err, sb.CodeNotFound)
		left := receiver.deferred(numbers[1], numbers[3])
		expect(left[0].DeliveryCount == firstDelivery+1 && left[1].DeliveryCount == firstDelivery,
			"delivery counts %d and %d", left[0].DeliveryCount, left[1].DeliveryCount)
		for _, message := range left {
			receiver.complete(message)
		}
		receiver.expectEmpty()
		deadLetters := s.deadLetters(w.queue)
		dead := deadLetters.one()
		expect(*dead.DeadLetterReason == "Unreadable", "reason %s", *dead.DeadLetterReason)
		deadLetters.complete(dead)
	})
}

func aDeferredMessageCanBeReceivedAndDeleted(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		numbers := s.sendAndDefer(w.queue, 1)
		receiver := s.receiver(w.queue, sb.ReceiverOptions{ReceiveMode: sb.ReceiveModeReceiveAndDelete})
		expect(bodies(receiver.deferred(numbers...)) == "0", "another message")
		_, err := receiver.ReceiveDeferredMessages(s, numbers, nil)
		expectCode(err, sb.CodeNotFound)
	})
}

func peekingSeesWhatIsThereAndTakesNothing(w *world) {
	w.with(variation{}, func(s session) {
		for n := range 5 {
			s.send(w.queue, text(fmt.Sprint(n)))
		}
		receiver, looking := s.peekLock(w.queue), s.peekLock(w.queue)
		locked := receiver.one()
		first := *locked.SequenceNumber
		expect(bodies(looking.peek(3, first)) == "012", "another beginning")
		expect(bodies(looking.peek(9, first+3)) == "34", "another end")
		from := looking.peek(2, first+2)
		expect(bodies(from) == "23" && from[0].State == sb.MessageStateActive, "%s", bodies(from))
		receiver.complete(locked)
		for _, message := range receiver.exactly(4) {
			receiver.complete(message)
		}
		expect(len(looking.peek(3, 1)) == 0, "something is left")
	})
}

func aRenewedLockLastsLonger(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		s.send(w.shortLockQueue, text("slow"), text("slower"))
		receiver := s.peekLock(w.shortLockQueue)
		messages := receiver.exactly(2)
		renewed, lost := messages[0], messages[1]
		var again []*sb.ReceivedMessage
		// The end of the other lock, which is not renewed, is seen by its message coming again.
		for len(again) == 0 {
			before := *renewed.LockedUntil
			check(receiver.RenewMessageLock(s, renewed, nil))
			expect(!renewed.LockedUntil.Before(before), "locked until %s", renewed.LockedUntil)
			again = receiver.upTo(1, emptyAfter)
		}
		expect(string(again[0].Body) == "slower" && again[0].DeliveryCount == firstDelivery+1, "%s", again[0].Body)
		expectCode(receiver.CompleteMessage(s, lost, nil), sb.CodeLockLost)
		receiver.complete(renewed)
		receiver.complete(again[0])
		expectCode(receiver.RenewMessageLock(s, renewed, nil), sb.CodeLockLost)
		receiver.expectEmpty()
	})
}

func anExpiredMessageBecomesADeadLetter(w *world) {
	w.with(variation{}, func(s session) {
		short := time.Second
		s.send(w.expiringQueue, &sb.Message{Body: []byte("short"), TimeToLive: &short})
		deadLetters := s.deadLetters(w.expiringQueue)
		dead := deadLetters.one()
		expect(string(dead.Body) == "short", "%s", dead.Body)
		expect(*dead.DeadLetterReason == "TTLExpiredException", "reason %s", *dead.DeadLetterReason)
		deadLetters.complete(dead)
		// Where dead-lettering is off, it is gone: it is there no more when the one behind it is.
		at := time.Now().Add(2 * short)
		s.send(w.queue, &sb.Message{Body: []byte("gone"), TimeToLive: &short},
			&sb.Message{Body: []byte("there"), ScheduledEnqueueTime: &at})
		receiver := s.peekLock(w.queue)
		for bodies(receiver.peek(1, 1)) == "gone" {
			// It expires.
		}
		message := receiver.one()
		expect(string(message.Body) == "there", "%s", message.Body)
		receiver.complete(message)
	})
}

func aQueuesOwnTimeToLiveIsTheLongest(w *world) {
	w.with(variation{}, func(s session) {
		s.send(w.expiringQueue, &sb.Message{Body: []byte("long"), TimeToLive: to.Ptr(10 * time.Hour)}, text("none"))
		receiver := s.peekLock(w.expiringQueue)
		for _, message := range receiver.exactly(2) {
			expect(message.ExpiresAt.Equal(message.EnqueuedTime.Add(time.Hour)), "expires at %s", message.ExpiresAt)
			receiver.complete(message)
		}
	})
}
