using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ModelZoo.Host.Serving.Tests;

/// <summary>A page in Chromium, driven over its DevTools protocol.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _folder;
    private readonly ClientWebSocket _socket = new();
    private int _last;

    private Browser(Process process, string folder) => (_process, _folder) = (process, folder);

    /// <summary>The browser's program; null when none is installed.</summary>
    public static string? Program { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).SelectMany(folder => new[] { "chromium", "chromium-browser", "google-chrome" }.Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);

    /// <summary>A new page at an address.</summary>
    public static async Task<Browser> OpenAsync(string url, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("browser-").FullName;
        var process = Process.Start(new ProcessStartInfo(Program!, ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0", $"--user-data-dir={folder}", "about:blank"]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var browser = new Browser(process, folder);
        var port = 0;
        while (await process.StandardError.ReadLineAsync(cancel) is { } line)
        {
            if (!line.StartsWith("DevTools listening on ", StringComparison.Ordinal)) continue;
            port = new Uri(line["DevTools listening on ".Length..]).Port;
            break;
        }

        _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
        using var client = new HttpClient();
        var page = JsonNode.Parse(await client.GetStringAsync($"http://127.0.0.1:{port}/json/list", cancel))!.AsArray().First(target => (string?)target!["type"] == "page")!;
        await browser._socket.ConnectAsync(new((string)page["webSocketDebuggerUrl"]!), cancel);
        await browser.SendAsync("Page.navigate", new() { ["url"] = url }, cancel);
        return browser;
    }

    /// <summary>The value of an expression on the page; promises are waited for.</summary>
    public async Task<string> EvaluateAsync(string expression, CancellationToken cancel)
    {
        var answer = await SendAsync("Runtime.evaluate", new() { ["expression"] = expression, ["awaitPromise"] = true, ["returnByValue"] = true, ["userGesture"] = true }, cancel);
        if (answer.TryGetProperty("exceptionDetails", out var problem)) throw new InvalidOperationException(problem.GetRawText());
        return answer.GetProperty("result").TryGetProperty("value", out var value) ? value.ToString() : "";
    }

    /// <summary>Waits until an expression is true.</summary>
    public async Task UntilAsync(string expression, CancellationToken cancel)
    {
        while (await EvaluateAsync($"Boolean({expression})", cancel) != "True") await Task.Delay(50, cancel);
    }

    /// <summary>Goes to a place of the page, and waits for an element.</summary>
    public async Task GoAsync(string hash, string element, CancellationToken cancel)
    {
        await EvaluateAsync($"document.getElementById('main')?.replaceChildren(); location.hash = '{hash}'", cancel);
        await UntilAsync($"document.querySelector(`{element}`)", cancel);
    }

    /// <summary>Puts a file into the chooser of the page's form.</summary>
    public Task ChooseAsync(string name, string type, byte[] bytes, CancellationToken cancel) => EvaluateAsync($$"""
        (() => { const data = new DataTransfer(), chooser = document.querySelector('form input[type=file]');
          data.items.add(new File([Uint8Array.from(atob('{{Convert.ToBase64String(bytes)}}'), c => c.charCodeAt(0))], '{{name}}', { type: '{{type}}' }));
          chooser.files = data.files; chooser.dispatchEvent(new Event('change')); })()
        """, cancel);

    /// <summary>Presses a key as a hand does.</summary>
    public async Task PressAsync(string key, CancellationToken cancel)
    {
        var code = key switch { "Tab" => 9, "Enter" => 13, "ArrowLeft" => 37, "ArrowUp" => 38, "ArrowRight" => 39, "ArrowDown" => 40, _ => 0 };
        foreach (var type in new[] { "keyDown", "keyUp" })
        {
            var press = new JsonObject { ["type"] = type, ["key"] = key, ["code"] = key, ["windowsVirtualKeyCode"] = code };
            if (type == "keyDown" && (key.Length == 1 || key == "Enter")) press["text"] = key == "Enter" ? "\r" : key;
            await SendAsync("Input.dispatchKeyEvent", press, cancel);
        }
    }

    /// <summary>Makes the page as large as a screen.</summary>
    public Task ResizeAsync(int width, int height, CancellationToken cancel) => SendAsync("Emulation.setDeviceMetricsOverride", new() { ["width"] = width, ["height"] = height, ["deviceScaleFactor"] = 1, ["mobile"] = width < 600 }, cancel);

    /// <summary>Writes what the page looks like into the folder of MODELZOO_SCREENSHOTS, where there is one.</summary>
    public async Task PictureAsync(string name, CancellationToken cancel)
    {
        if (Environment.GetEnvironmentVariable("MODELZOO_SCREENSHOTS") is not { Length: > 0 } folder) return;
        var answer = await SendAsync("Page.captureScreenshot", new() { ["captureBeyondViewport"] = true }, cancel);
        await File.WriteAllBytesAsync(Path.Combine(folder, name + ".png"), answer.GetProperty("data").GetBytesFromBase64(), cancel);
    }

    /// <summary>Sends the form, and gives the text of its result.</summary>
    public async Task<string> SubmitAsync(CancellationToken cancel)
    {
        await EvaluateAsync("document.querySelector('form button[type=submit]').click()", cancel);
        await UntilAsync("document.querySelector('.result')?.childElementCount > 0 && !document.querySelector('form button[type=submit]').disabled", cancel);
        return await EvaluateAsync("document.querySelector('.result').innerText", cancel);
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        for (var tries = 0; Directory.Exists(_folder); tries++)
        {
            try
            {
                Directory.Delete(_folder, recursive: true);
            }
            catch (IOException) when (tries < 20)
            {
                await Task.Delay(100); // its helpers still write
            }
        }
    }

    private async Task<JsonElement> SendAsync(string method, JsonObject parameters, CancellationToken cancel)
    {
        var id = ++_last;
        await _socket.SendAsync(Encoding.UTF8.GetBytes(new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters }.ToJsonString()), WebSocketMessageType.Text, true, cancel);
        while (true)
        {
            using var message = new MemoryStream();
            var buffer = new byte[1 << 16];
            ValueWebSocketReceiveResult part;
            do
            {
                part = await _socket.ReceiveAsync(buffer.AsMemory(), cancel);
                message.Write(buffer, 0, part.Count);
            }
            while (!part.EndOfMessage);
            var json = JsonDocument.Parse(message.ToArray()).RootElement;
            if (json.TryGetProperty("id", out var answered) && answered.GetInt32() == id) return json.TryGetProperty("result", out var result) ? result : throw new InvalidOperationException(json.GetRawText());
        }
    }
}
