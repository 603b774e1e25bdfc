// What a user of `azservicebus` learns when something is refused: the SDK's own error with its code, or where it has no
// code for it the AMQP error itself, which the SDK documents as the way to tell. One function a case.

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sb "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
)

// The code of `err`, which must be the SDK's own error.
func expectCode(err error, code sb.Code) {
	var refused *sb.Error
	expect(errors.As(err, &refused), "no error of the SDK: %v", err)
	expect(refused.Code == code, "%v", err)
}

// The condition of `err`, which must be an AMQP error.
func expectCondition(err error, condition amqp.ErrCond) {
	var refused *amqp.Error
	expect(errors.As(err, &refused), "no AMQP error: %v", err)
	expect(refused.Condition == condition, "%v", err)
}

// What sending to a queue and receiving from it give.
func (s session) sendAndListen(queue string) []error {
	waiting, cancel := context.WithTimeout(s, patience)
	defer cancel()
	receiver := s.peekLock(queue)
	_, err := receiver.ReceiveMessages(waiting, 1, nil)
	return []error{s.trySend(queue, text("x")), err}
}

func aLostLockCannotBeSettled(w *world) {
	w.withLostLock(func(slow receiver, message *sb.ReceivedMessage) error {
		return slow.CompleteMessage(slow, message, nil)
	})
}

func aLostLockCannotBeRenewed(w *world) {
	w.withLostLock(func(slow receiver, message *sb.ReceivedMessage) error {
		return slow.RenewMessageLock(slow, message, nil)
	})
}

func (w *world) withLostLock(action func(receiver, *sb.ReceivedMessage) error) {
	w.with(variation{}, func(s session) {
		s.send(w.shortLockQueue, text("slow"))
		slow, other := s.peekLock(w.shortLockQueue), s.peekLock(w.shortLockQueue)
		message := slow.one()
		// The lock's end is seen by the message coming again, not by waiting for a time.
		again := other.one()
		expect(again.DeliveryCount == firstDelivery+1, "delivery count %d", again.DeliveryCount)
		expectCode(action(slow, message), sb.CodeLockLost)
		other.complete(again)
		other.expectEmpty()
	})
}

func tooLargeAMessageIsRefused(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		err := s.trySend(w.queue, &sb.Message{Body: make([]byte, 2*1024*1024)})
		if !errors.Is(err, sb.ErrMessageTooLarge) {
			expectCondition(err, amqp.ErrCondMessageSizeExceeded)
		}
		s.peekLock(w.queue).expectEmpty()
	})
}

func aBatchTakesNoMoreThanMayBeSent(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		sender := must(s.client.NewSender(w.queue, nil))
		batch := must(sender.NewMessageBatch(s, nil))
		var err error
		for err == nil {
			err = batch.AddMessage(&sb.Message{Body: make([]byte, 50*1024)}, nil)
			expect(batch.NumMessages() < 100, "it takes anything")
		}
		expect(errors.Is(err, sb.ErrMessageTooLarge), "%v", err)
		count := int(batch.NumMessages())
		expect(count > 1, "%d messages fit", count)
		check(sender.SendMessageBatch(s, batch, nil))
		receiver := s.peekLock(w.queue)
		for _, message := range receiver.exactly(count) {
			receiver.complete(message)
		}
	})
}

func aFullQueueTakesNoMore(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		var err error
		sent := 0
		for ; err == nil; sent++ {
			expect(sent < 100, "it takes anything")
			err = s.trySend(w.smallQueue, &sb.Message{Body: make([]byte, 16*1024)})
		}
		expectCondition(err, amqp.ErrCondResourceLimitExceeded)
		receiver := s.peekLock(w.smallQueue)
		for _, message := range receiver.exactly(sent - 1) {
			receiver.complete(message)
		}
		// There is room again.
		s.send(w.smallQueue, text("more"))
		receiver.complete(receiver.one())
	})
}

func aQueueThatIsNotThereIsNamed(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		for _, err := range s.sendAndListen(w.missingQueue) {
			expectCode(err, sb.CodeNotFound)
			expect(strings.Contains(err.Error(), w.missingQueue), "%v", err)
		}
	})
}

func aWrongKeyIsRefused(w *world) {
	key := strings.Index(w.connectionString, "SharedAccessKey=")
	wrong := w.connectionString[:key] + "SharedAccessKey=d3Jvbmc=;UseDevelopmentEmulator=true"
	w.with(variation{connectionString: wrong, noRetry: true}, func(s session) {
		expectCode(s.trySend(w.queue, text("x")), sb.CodeUnauthorizedAccess)
	})
}

func aWrongSecretIsRefused(w *world) {
	w.with(variation{secret: "not-the-secret", noRetry: true}, func(s session) {
		err := s.trySend(w.queue, text("x"))
		expect(strings.Contains(fmt.Sprint(err), "AADSTS7000215"), "%v", err)
		expect(!strings.Contains(err.Error(), "not-the-secret"), "the secret is told")
	})
}

func aQueueWithoutARoleIsRefused(w *world) {
	w.with(variation{noRetry: true}, func(s session) {
		for _, err := range s.sendAndListen(w.forbiddenQueue) {
			expectCode(err, sb.CodeUnauthorizedAccess)
		}
	})
}
