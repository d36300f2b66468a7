package io.firn.study.schedule;

/** What an {@link Executor} tells of a task that was started. */
public sealed interface Event {

    String task();

    /**
     * It is under way.
     *
     * @param share of its work that is done, from 0 to 1
     * @param said  for people, such as the last loss; may be empty
     */
    record Progressed(String task, double share, String said) implements Event {
    }

    /**
     * It has not begun yet, so that its time counts from now at the earliest.
     *
     * @param why for people; may be empty
     */
    record Queued(String task, String why) implements Event {
    }

    /** It came to its end. */
    record Finished(String task) implements Event {
    }

    /** It was stopped as asked, and can go on where it stands. */
    record Stopped(String task) implements Event {
    }

    /**
     * It ended otherwise.
     *
     * @param reason in one line
     * @param again  whether it is worth another try: a crash is, a loss that is not finite would come again
     */
    record Failed(String task, String reason, boolean again) implements Event {
    }
}
