// Runs the cases with Microsoft's unmodified Java SDK against the namespace that the environment names.
//
// One line a case, `ok NAME`, `not ok NAME: reason` or `n/a NAME: reason`; the last line is JSON with the versions and the
// counts. A case has the same name in all languages, in the spelling of Python.

import com.azure.core.util.CoreUtils;
import java.util.ArrayList;
import java.util.List;

/** The program. */
final class Conformance {
    /** A case, which fails by throwing. */
    @FunctionalInterface
    interface Case {
        void run(World world) throws Exception;
    }

    /** A case with its name. */
    record Named(String name, Case run) {}

    private Conformance() {}

    public static void main(String[] arguments) throws Exception {
        World world = new World(System.getenv());
        List<Named> cases = new ArrayList<>(Cases.ALL);
        cases.addAll(QueueCases.ALL);
        cases.addAll(SessionCases.ALL);
        cases.addAll(Refusals.of(world.way));
        int passed = 0;
        int failed = 0;
        for (Named named : cases) {
            try {
                named.run().run(world);
                passed++;
                System.out.println("ok " + named.name());
            } catch (Exception | AssertionError error) {
                failed++;
                System.out.println("not ok " + named.name() + ": " + oneLine(error));
                try {
                    world.drain();
                } catch (RuntimeException reason) {
                    System.out.println("# the queues could not be emptied: " + oneLine(reason));
                }
            }
        }
        System.out.printf(
            "{\"sdk\": \"%s, %s\", \"runtime\": \"Java %s\", \"way\": \"%s\", \"passed\": %d, \"failed\": %d}%n",
            version("azure-messaging-servicebus"), version("azure-identity"),
            System.getProperty("java.version"), world.way, passed, failed);
        // The SDK's threads may outlive its clients.
        System.exit(passed > 0 && failed == 0 ? 0 : 1);
    }

    private static String version(String library) {
        return library + " " + CoreUtils.getProperties(library + ".properties").get("version");
    }

    private static String oneLine(Throwable error) {
        return error.toString().replaceAll("\\s+", " ");
    }
}
