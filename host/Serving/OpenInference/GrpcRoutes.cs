using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;
using ModelZoo.Contracts;
using ModelZoo.Host.Hosting;
using ModelZoo.Host.Models;
using ModelZoo.Host.Serving.Http;
using ModelZoo.Host.Serving.OpenInference.Wire;

namespace ModelZoo.Host.Serving.OpenInference;

/// <summary>
/// The Open Inference Protocol over gRPC. Its six calls are unary, so that gRPC is one length-prefixed message each way over HTTP/2 and a status in the trailers; Kestrel does the rest.
/// </summary>
internal static class GrpcRoutes
{
    // google.rpc.Code
    private const int Ok = 0, Cancelled = 1, InvalidArgument = 3, DeadlineExceeded = 4, NotFound = 5, PermissionDenied = 7, ResourceExhausted = 8, Internal = 13, Unavailable = 14;

    public static void Map(IEndpointRouteBuilder routes)
    {
        Map(routes, "ServerLive", ServerLiveRequest.Parser, static (_, _, _) => Task.FromResult(new ServerLiveResponse { Live = true }), open: true);
        Map(routes, "ServerReady", ServerReadyRequest.Parser, static (service, _, _) => Task.FromResult(new ServerReadyResponse { Ready = service.IsServerReady }), open: true);
        Map(routes, "ServerMetadata", ServerMetadataRequest.Parser, static (_, _, _) => Task.FromResult(new ServerMetadataResponse { Name = "modelzoo", Version = Zoo.Version, Extensions = { "model_repository", "schedule_policy" } }));
        Map(routes, "ModelReady", ModelReadyRequest.Parser, static (service, request, context) => Task.FromResult(new ModelReadyResponse { Ready = service.IsReady(Model(context, request.Name, request.Version).Id) }));
        Map(routes, "ModelMetadata", ModelMetadataRequest.Parser, DescribeAsync);
        Map(routes, "ModelInfer", ModelInferRequest.Parser, InferAsync);
    }

    private static ModelRequest Model(HttpContext context, string name, string version) => version is "" or OpenInferenceRoutes.Version ? context.RequestServices.GetRequiredService<ModelNames>().Find(name)
        : throw new ModelZooException(ErrorCodes.ModelUnknown, "There is no such version of the model.") { Expected = OpenInferenceRoutes.Version, Found = version };

    private static async Task<ModelMetadataResponse> DescribeAsync(InferenceService service, ModelMetadataRequest request, HttpContext context)
    {
        var model = await service.DescribeAsync(Model(context, request.Name, request.Version), context.RequestAborted).ConfigureAwait(false);
        var answer = new ModelMetadataResponse { Name = request.Name, Versions = { OpenInferenceRoutes.Version }, Platform = model.Platform };
        answer.Inputs.AddRange(model.Inputs.Select(Describe));
        answer.Outputs.AddRange(model.Outputs.Select(Describe));
        foreach (var (name, value) in model.Properties) answer.Properties.Add(name, value);
        return answer;
    }

    private static ModelMetadataResponse.Types.TensorMetadata Describe(TensorDescription tensor) => new() { Name = tensor.Name, Datatype = tensor.Datatype, Shape = { tensor.Shape } };

    private static async Task<ModelInferResponse> InferAsync(InferenceService service, ModelInferRequest request, HttpContext context)
    {
        var raw = request.RawInputContents.Count > 0;
        if (raw && (request.RawInputContents.Count != request.Inputs.Count || request.Inputs.Any(input => input.Contents is not null)))
            throw new ModelZooException("request.malformed", "Either all inputs are raw or none is.") { Expected = $"{request.Inputs.Count} raw inputs and no contents", Found = $"{request.RawInputContents.Count} raw inputs" };
        var inputs = request.Inputs.Select((input, i) => new InferTensor(input.Name, input.Datatype, [.. input.Shape], raw ? request.RawInputContents[i].Memory : Contents(input)) { Parameters = Read(input.Parameters) }).ToList();
        var outputs = await service.InferAsync(Model(context, request.ModelName, request.ModelVersion), new(request.Id, Read(request.Parameters), inputs, [.. request.Outputs.Select(output => output.Name)]), RequestTermsReader.Of(context), context.RequestAborted).ConfigureAwait(false);
        var answer = new ModelInferResponse { ModelName = request.ModelName, ModelVersion = OpenInferenceRoutes.Version, Id = request.Id };
        foreach (var output in outputs)
        {
            var tensor = new ModelInferResponse.Types.InferOutputTensor { Name = output.Name, Datatype = output.Datatype, Shape = { output.Shape } };
            foreach (var (name, value) in output.Parameters) tensor.Parameters.Add(name, Write(value));
            answer.Outputs.Add(tensor);
            answer.RawOutputContents.Add(UnsafeByteOperations.UnsafeWrap(output.Data));
        }

        return answer;
    }

    // Typed contents as the raw form: little-endian elements.
    private static ReadOnlyMemory<byte> Contents(ModelInferRequest.Types.InferInputTensor input)
    {
        var contents = input.Contents ?? throw new ModelZooException("request.malformed", "An input has no contents.") { Where = input.Name };
        using var data = new MemoryStream();
        using var writer = new BinaryWriter(data);
        switch (input.Datatype)
        {
            case "BOOL": foreach (var value in contents.BoolContents) writer.Write(value); break;
            case "INT8": foreach (var value in contents.IntContents) writer.Write(checked((sbyte)value)); break;
            case "INT16": foreach (var value in contents.IntContents) writer.Write(checked((short)value)); break;
            case "INT32": foreach (var value in contents.IntContents) writer.Write(value); break;
            case "INT64": foreach (var value in contents.Int64Contents) writer.Write(value); break;
            case "UINT8": foreach (var value in contents.UintContents) writer.Write(checked((byte)value)); break;
            case "UINT16": foreach (var value in contents.UintContents) writer.Write(checked((ushort)value)); break;
            case "UINT32": foreach (var value in contents.UintContents) writer.Write(value); break;
            case "UINT64": foreach (var value in contents.Uint64Contents) writer.Write(value); break;
            case "FP32": foreach (var value in contents.Fp32Contents) writer.Write(value); break;
            case "FP64": foreach (var value in contents.Fp64Contents) writer.Write(value); break;
            case "BYTES":
                foreach (var value in contents.BytesContents)
                {
                    writer.Write(value.Length);
                    writer.Write(value.Span);
                }

                break;
            default: throw new ModelZooException(ErrorCodes.TensorType, "This datatype has no contents; send it raw, or it is none.") { Where = input.Name, Found = input.Datatype };
        }

        return data.ToArray();
    }

    private static JsonObject Read(IEnumerable<KeyValuePair<string, InferParameter>> parameters) => new(parameters.Select(pair => KeyValuePair.Create<string, JsonNode?>(pair.Key, pair.Value.ParameterChoiceCase switch
    {
        InferParameter.ParameterChoiceOneofCase.BoolParam => pair.Value.BoolParam,
        InferParameter.ParameterChoiceOneofCase.Int64Param => pair.Value.Int64Param,
        InferParameter.ParameterChoiceOneofCase.DoubleParam => pair.Value.DoubleParam,
        InferParameter.ParameterChoiceOneofCase.Uint64Param => pair.Value.Uint64Param,
        _ => pair.Value.StringParam,
    })));

    private static InferParameter Write(JsonNode? value) => value is JsonValue json && json.TryGetValue(out long whole) ? new() { Int64Param = whole }
        : value is JsonValue number && number.TryGetValue(out int small) ? new() { Int64Param = small }
        : value is JsonValue real && real.TryGetValue(out double precise) ? new() { DoubleParam = precise }
        : new() { StringParam = value?.ToString() ?? "" };

    private static void Map<TRequest, TResponse>(IEndpointRouteBuilder routes, string name, MessageParser<TRequest> parser, Func<InferenceService, TRequest, HttpContext, Task<TResponse>> handle, bool open = false)
        where TRequest : IMessage<TRequest> where TResponse : IMessage<TResponse>
    {
        var route = routes.MapPost($"/inference.GRPCInferenceService/{name}", async (HttpContext context, InferenceService service) =>
        {
            context.Response.ContentType = "application/grpc";
            try
            {
                var request = parser.ParseFrom(await ReadAsync(context).ConfigureAwait(false));
                var answer = await handle(service, request, context).ConfigureAwait(false);
                await WriteAsync(context, answer).ConfigureAwait(false);
                End(context, Ok, "");
            }
            catch (InvalidProtocolBufferException error)
            {
                End(context, InvalidArgument, error.Message);
            }
            catch (OverflowException)
            {
                End(context, InvalidArgument, "A value does not fit into its datatype.");
            }
            catch (Exception error) when (Problems.Known(error) is { } known)
            {
                End(context, Problems.Status(known, error) switch { 404 => NotFound, 429 => ResourceExhausted, 403 => PermissionDenied, 503 => Unavailable, 504 => DeadlineExceeded, 500 => Internal, _ => InvalidArgument }, known.Message);
            }
            catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
            {
                End(context, Cancelled, "");
            }
        }).ExcludeFromDescription();
        if (open) route.WithMetadata(new Doorkeeper.Open());
    }

    // One message: a flag (0: not compressed), its length, itself.
    private static async Task<byte[]> ReadAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted).ConfigureAwait(false);
        var bytes = body.GetBuffer().AsMemory(0, (int)body.Length);
        if (bytes.Length < 5 || BinaryPrimitives.ReadUInt32BigEndian(bytes.Span[1..]) != bytes.Length - 5) throw new ModelZooException("request.malformed", "This is not one message of gRPC.");
        if (bytes.Span[0] != 0) throw new ModelZooException("request.malformed", "Compressed messages are not taken.");
        return bytes[5..].ToArray();
    }

    private static async Task WriteAsync<T>(HttpContext context, T message) where T : IMessage<T>
    {
        var bytes = new byte[5 + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(1), bytes.Length - 5);
        message.WriteTo(bytes.AsSpan(5));
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted).ConfigureAwait(false);
    }

    private static void End(HttpContext context, int status, string message)
    {
        if (!context.Response.SupportsTrailers()) return; // HTTP/1.1 has no gRPC
        context.Response.AppendTrailer("grpc-status", status.ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (message.Length > 0) context.Response.AppendTrailer("grpc-message", PercentEncode(message));
    }

    private static string PercentEncode(string message)
    {
        var text = new StringBuilder();
        foreach (var value in Encoding.UTF8.GetBytes(message))
        {
            if (value is >= 0x20 and < 0x7F and not (byte)'%') text.Append((char)value);
            else text.Append('%').Append(value.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }
}
