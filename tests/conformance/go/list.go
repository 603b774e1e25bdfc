// The cases of each way, in the order in which they run.

package main

var common = []testCase{
	{name: "send_receive_complete", run: sendReceiveComplete},
	{name: "properties_arrive_as_they_were_sent", run: propertiesArriveAsTheyWereSent},
	{name: "a_binary_body_arrives_as_it_was_sent", run: aBinaryBodyArrivesAsItWasSent},
	{name: "a_message_without_an_id_can_be_settled", run: aMessageWithoutAnIDCanBeSettled},
	{name: "completes_in_any_order", run: completesInAnyOrder},
	{name: "abandon_raises_the_delivery_count", run: abandonRaisesTheDeliveryCount},
	{name: "dead_letters_with_reason_and_description", run: deadLettersWithReasonAndDescription},
	{name: "dead_letters_after_the_last_delivery", run: deadLettersAfterTheLastDelivery},
	{name: "a_batch_arrives_whole_and_in_order", run: aBatchArrivesWholeAndInOrder},
	{name: "carries_200_kilobytes", run: carries200Kilobytes},
	{name: "an_empty_queue_gives_nothing_in_the_time_asked_for", run: anEmptyQueueGivesNothingInTheTimeAskedFor},
	{name: "receive_and_delete_needs_no_settlement", run: receiveAndDeleteNeedsNoSettlement},
	{name: "competing_receivers_never_share_a_message", run: competingReceiversNeverShareAMessage},
	{name: "senders_side_by_side_lose_nothing", run: sendersSideBySideLoseNothing},
	{
		name:          "a_subscription_completes_what_its_handler_took",
		notApplicable: "the SDK has no processor: messages are received by calls only",
	},
	{name: "a_lost_lock_cannot_be_settled", run: aLostLockCannotBeSettled},
	{name: "a_lost_lock_cannot_be_renewed", run: aLostLockCannotBeRenewed},
	{name: "a_duplicate_is_accepted_and_dropped", run: aDuplicateIsAcceptedAndDropped},
	{name: "too_large_a_message_is_refused", run: tooLargeAMessageIsRefused},
	{name: "a_batch_takes_no_more_than_may_be_sent", run: aBatchTakesNoMoreThanMayBeSent},
	{name: "a_full_queue_takes_no_more", run: aFullQueueTakesNoMore},
	{name: "a_queue_that_is_not_there_is_named", run: aQueueThatIsNotThereIsNamed},
	{name: "a_scheduled_message_comes_at_its_time", run: aScheduledMessageComesAtItsTime},
	{name: "a_cancelled_message_never_comes", run: aCancelledMessageNeverComes},
	{name: "deferred_messages_come_by_their_numbers", run: deferredMessagesComeByTheirNumbers},
	{name: "a_deferred_message_can_be_received_and_deleted", run: aDeferredMessageCanBeReceivedAndDeleted},
	{name: "peeking_sees_what_is_there_and_takes_nothing", run: peekingSeesWhatIsThereAndTakesNothing},
	{name: "a_renewed_lock_lasts_longer", run: aRenewedLockLastsLonger},
	{name: "an_expired_message_becomes_a_dead_letter", run: anExpiredMessageBecomesADeadLetter},
	{name: "a_queues_own_time_to_live_is_the_longest", run: aQueuesOwnTimeToLiveIsTheLongest},
	{name: "a_session_is_received_in_order_by_one_receiver", run: aSessionIsReceivedInOrderByOneReceiver},
	{name: "the_next_free_session_is_given", run: theNextFreeSessionIsGiven},
	{name: "without_a_session_that_is_free_the_wait_ends_in_time", run: withoutASessionThatIsFreeTheWaitEndsInTime},
	{name: "a_session_keeps_its_state", run: aSessionKeepsItsState},
	{name: "a_session_lock_is_renewed", run: aSessionLockIsRenewed},
	{name: "a_session_whose_lock_ran_out_is_lost", run: aSessionWhoseLockRanOutIsLost},
	{name: "deferred_messages_of_a_session_come_by_their_numbers", run: deferredMessagesOfASessionComeByTheirNumbers},
	{
		name: "sessions_are_used_where_they_are_required_and_nowhere_else",
		run:  sessionsAreUsedWhereTheyAreRequiredAndNowhereElse,
	},
}

func cases(way string) []testCase {
	if way == byConnectionString {
		return append(common, testCase{name: "a_wrong_key_is_refused", run: aWrongKeyIsRefused})
	}
	return append(common,
		testCase{name: "a_wrong_secret_is_refused", run: aWrongSecretIsRefused},
		testCase{name: "a_queue_without_a_role_is_refused", run: aQueueWithoutARoleIsRefused},
	)
}
