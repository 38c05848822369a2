import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

/**
 * A code, exchanged by your own backend. Java 11 or newer, the standard library only.
 *
 * <pre>ONETAP_URL=https://127.0.0.1:8443 ONETAP_SERVICE_TOKEN=… java Java.java CODE OPENID</pre>
 *
 * A CA that Java does not know (the sandbox's) goes into a trust store: -Djavax.net.ssl.trustStore=FILE.
 */
public class Java {
  private static final HttpClient CLIENT =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(5)).build();

  /** The answer: status 200 and the phone object, or a problem whose `retry` says what to do. */
  static HttpResponse<String> exchange(String code, String openid) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(System.getenv("ONETAP_URL") + "/phone/consume"))
        .timeout(Duration.ofSeconds(10))
        .header("Authorization", "Bearer " + System.getenv("ONETAP_SERVICE_TOKEN"))
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString("{\"code\":\"" + code + "\",\"openid\":\"" + openid + "\"}"))
        .build();
    final int tries = 3;
    for (int attempt = 1; ; attempt++) {
      try {
        var answer = CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
        boolean again = answer.body().contains("\"retry\":\"same_code\"") && attempt < tries;
        if (!again) return answer;
        Thread.sleep(1000L * answer.headers().firstValueAsLong("Retry-After").orElse(1));
      } catch (java.io.IOException lost) {
        // Nothing is lost with the line: the same code again is answered from the ledger.
        if (attempt == tries) throw lost;
        Thread.sleep(1000);
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    var answer = exchange(arguments[0], arguments[1]);
    System.out.println(answer.body());
    System.exit(answer.statusCode() == 200 ? 0 : 1);
  }
}
