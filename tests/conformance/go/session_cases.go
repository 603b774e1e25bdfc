// Messages received by session. One function a case.

package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	sb "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
)

func of(sessionID, body string) *sb.Message {
	return &sb.Message{Body: []byte(body), SessionID: to.Ptr(sessionID)}
}

// A receiver of one session that fails its case when it fails.
type sessionReceiver struct {
	session
	*sb.SessionReceiver
}

func (s session) accept(queue, sessionID string) sessionReceiver {
	return sessionReceiver{s, must(s.client.AcceptSessionForQueue(s, queue, sessionID, nil))}
}

func (s session) acceptNext(queue string) sessionReceiver {
	waiting, cancel := context.WithTimeout(s, patience)
	defer cancel()
	return sessionReceiver{s, must(s.client.AcceptNextSessionForQueue(waiting, queue, nil))}
}

func (r sessionReceiver) exactly(count int) []*sb.ReceivedMessage {
	var messages []*sb.ReceivedMessage
	for len(messages) < count {
		messages = append(messages, must(r.ReceiveMessages(r, count-len(messages), nil))...)
	}
	return messages
}

func (r sessionReceiver) complete(messages ...*sb.ReceivedMessage) {
	for _, message := range messages {
		check(r.CompleteMessage(r, message, nil))
	}
}

// Renews the lock of the session every second until something has ended, and gives how it did.
func (r sessionReceiver) renewUntil(ended <-chan error) error {
	for {
		select {
		case err := <-ended:
			return err
		case <-time.After(time.Second):
			check(r.RenewSessionLock(r, nil))
		}
	}
}

func (r sessionReceiver) end() { check(r.Close(r)) }

func aSessionIsReceivedInOrderByOneReceiver(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		s.send(w.sessionsQueue, of("a", "a1"), of("b", "b1"), of("a", "a2"))
		receiver := s.accept(w.sessionsQueue, "a")
		messages := receiver.exactly(2)
		expect(bodies(messages) == "a1a2", "%s", bodies(messages))
		expect(*messages[0].SessionID == "a", "session %s", *messages[0].SessionID)
		expect(receiver.LockedUntil().After(time.Now()), "locked until %s", receiver.LockedUntil())
		_, err := s.client.AcceptSessionForQueue(s, w.sessionsQueue, "a", nil)
		expectCondition(err, "com.microsoft:session-cannot-be-locked")
		receiver.complete(messages...)
		receiver.end()
		next := s.accept(w.sessionsQueue, "b")
		next.complete(next.exactly(1)...)
	})
}

func theNextFreeSessionIsGiven(w *world) {
	w.with(variation{}, func(s session) {
		s.send(w.sessionsQueue, of("one", "1"), of("two", "2"))
		for _, expected := range []string{"one", "two"} {
			receiver := s.acceptNext(w.sessionsQueue)
			expect(receiver.SessionID() == expected, "session %s", receiver.SessionID())
			messages := receiver.exactly(1)
			expect(*messages[0].SessionID == expected, "session %s", *messages[0].SessionID)
			receiver.complete(messages...)
			receiver.end()
		}
	})
}

func withoutASessionThatIsFreeTheWaitEndsInTime(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		waiting, cancel := context.WithTimeout(s, time.Second)
		defer cancel()
		_, err := s.client.AcceptNextSessionForQueue(waiting, w.sessionsQueue, nil)
		// The context's end, or the service's before it.
		if !errors.Is(err, context.DeadlineExceeded) {
			expectCode(err, sb.CodeTimeout)
		}
	})
}

func aSessionKeepsItsState(w *world) {
	w.with(variation{}, func(s session) {
		state := func(receiver sessionReceiver) string { return string(must(receiver.GetSessionState(s, nil))) }
		s.send(w.sessionsQueue, of("s", "x"))
		receiver := s.accept(w.sessionsQueue, "s")
		expect(state(receiver) == "", "%s", state(receiver))
		check(receiver.SetSessionState(s, []byte("step 2"), nil))
		receiver.end()
		receiver = s.accept(w.sessionsQueue, "s")
		expect(state(receiver) == "step 2", "%s", state(receiver))
		messages := receiver.exactly(1)
		expect(messages[0].DeliveryCount == firstDelivery, "delivery count %d", messages[0].DeliveryCount)
		receiver.complete(messages...)
		expect(slices.Equal(s.sessions(w.sessionsQueue), []string{"s"}), "%v", s.sessions(w.sessionsQueue))
		check(receiver.SetSessionState(s, nil, nil))
		expect(state(receiver) == "", "%s", state(receiver))
		// That is a state of no bytes to this SDK, so the session stays in the list, unlike with others.
		receiver.end()
	})
}

// The sessions that have messages or a state.
func (s session) sessions(queue string) []string {
	var sessions []string
	for pager := s.client.NewListSessionsForQueuePager(queue, nil); pager.More(); {
		sessions = append(sessions, must(pager.NextPage(s)).Sessions...)
	}
	return sessions
}

func aSessionLockIsRenewed(w *world) {
	w.with(variation{}, func(s session) {
		receiver := s.accept(w.sessionsQueue, "r")
		before := receiver.LockedUntil()
		check(receiver.RenewSessionLock(s, nil))
		expect(!receiver.LockedUntil().Before(before), "locked until %s", receiver.LockedUntil())
	})
}

func aSessionWhoseLockRanOutIsLost(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		s.send(w.sessionsQueue, of("slow", "x"))
		slow := s.accept(w.sessionsQueue, "slow")
		message := slow.exactly(1)[0]
		// The lock's end is seen by another getting the session.
		other := s.acceptNext(w.sessionsQueue)
		expect(other.SessionID() == "slow", "session %s", other.SessionID())
		again := other.exactly(1)
		expect(again[0].DeliveryCount == firstDelivery+1, "delivery count %d", again[0].DeliveryCount)
		// The SDK has no code for a lost session. It tries to have it again and tells why it cannot; or, when it has not
		// noticed the link's end yet, that the message's lock is lost.
		// Whatever its options are, it waits three to five seconds in between, as long as the lock: the other keeps that.
		ended := make(chan error, 1)
		go func() { ended <- slow.CompleteMessage(s, message, nil) }()
		err := other.renewUntil(ended)
		if lost := (*sb.Error)(nil); errors.As(err, &lost) {
			expectCode(err, sb.CodeLockLost)
		} else {
			expectCondition(err, "com.microsoft:session-cannot-be-locked")
		}
		other.complete(again...)
	})
}

// The SDK names its link and not the session when it asks.
func deferredMessagesOfASessionComeByTheirNumbers(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		s.send(w.sessionsQueue, of("d", "later"))
		receiver := s.accept(w.sessionsQueue, "d")
		message := receiver.exactly(1)[0]
		check(receiver.DeferMessage(s, message, nil))
		fromTheFirst := &sb.PeekMessagesOptions{FromSequenceNumber: to.Ptr(int64(1))}
		peeked := must(receiver.PeekMessages(s, 9, fromTheFirst))
		expect(bodies(peeked) == "later", "%s", bodies(peeked))
		deferred := must(receiver.ReceiveDeferredMessages(s, []int64{*message.SequenceNumber}, nil))
		expect(bodies(deferred) == "later", "%s", bodies(deferred))
		receiver.complete(deferred...)
		peeked = must(receiver.PeekMessages(s, 9, fromTheFirst))
		expect(len(peeked) == 0, "%s is left", bodies(peeked))
		receiver.end()
	})
}

func sessionsAreUsedWhereTheyAreRequiredAndNowhereElse(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		waiting, cancel := context.WithTimeout(s, patience)
		defer cancel()
		_, without := s.peekLock(w.sessionsQueue).ReceiveMessages(waiting, 1, nil)
		_, needless := s.client.AcceptSessionForQueue(waiting, w.queue, "s", nil)
		for _, err := range []error{without, needless, s.trySend(w.sessionsQueue, text("no session"))} {
			var refused *amqp.Error
			expect(errors.As(err, &refused), "no AMQP error: %v", err)
			expect(strings.Contains(strings.ToLower(refused.Description), "session"), "%v", err)
		}
	})
}
