namespace Toolkit.Display;

/// <summary>
/// Places the boxes of a directed graph without cycles in layers, top to bottom (Sugiyama, Tagawa and Toda, 1981): longest paths give the layers, places that an edge passes keep
/// room for it, neighbours' mean places give the order and then the position.
/// </summary>
internal sealed class GraphLayout
{
    private const int Sweeps = 8;
    private readonly List<Place> _places;
    private readonly List<List<Place>> _layers = [];
    private readonly double _gap;

    private GraphLayout(IReadOnlyList<(double Width, double Height)> boxes, double gap) =>
        (_places, _gap) = ([.. boxes.Select(box => new Place { Width = box.Width, Height = box.Height })], gap);

    /// <summary>Lays boxes out.</summary>
    /// <param name="boxes">Their sizes.</param>
    /// <param name="edges">From which to which; all point forward in the order of the boxes.</param>
    /// <param name="gap">Room between two boxes of a layer.</param>
    /// <param name="layerGap">Room between two layers.</param>
    /// <returns>The middle of each box, for each edge the points that it passes, and the size of the whole.</returns>
    public static (IReadOnlyList<(double X, double Y)> Boxes, IReadOnlyList<IReadOnlyList<(double X, double Y)>> Edges, double Width, double Height) Of(
        IReadOnlyList<(double Width, double Height)> boxes, IReadOnlyList<(int From, int To)> edges, double gap = 18, double layerGap = 26)
    {
        var layout = new GraphLayout(boxes, gap);
        var routes = layout.Layer(edges);
        layout.Order();
        layout.Straighten();
        return layout.Finish(routes, layerGap);
    }

    private List<List<Place>> Layer(IReadOnlyList<(int From, int To)> edges)
    {
        var boxes = _places.ToArray();
        foreach (var (from, to) in edges.OrderBy(edge => edge.To))
        {
            boxes[to].Layer = Math.Max(boxes[to].Layer, boxes[from].Layer + 1);
        }

        // What nothing comes into stands just above its first reader.
        var hasInput = edges.Select(edge => edge.To).ToHashSet();
        foreach (var group in edges.Where(edge => !hasInput.Contains(edge.From)).GroupBy(edge => edge.From))
        {
            boxes[group.Key].Layer = group.Min(edge => boxes[edge.To].Layer) - 1;
        }

        var routes = new List<List<Place>>();
        foreach (var (from, to) in edges)
        {
            List<Place> route = [boxes[from]];
            for (var layer = boxes[from].Layer + 1; layer < boxes[to].Layer; layer++)
            {
                var pass = new Place { Layer = layer, Width = 4 };
                _places.Add(pass);
                route.Add(pass);
            }

            route.Add(boxes[to]);
            for (var i = 1; i < route.Count; i++)
            {
                route[i - 1].Below.Add(route[i]);
                route[i].Above.Add(route[i - 1]);
            }

            routes.Add(route);
        }

        foreach (var layer in _places.GroupBy(place => place.Layer).OrderBy(layer => layer.Key))
        {
            _layers.Add([.. layer]);
        }

        var parts = 0;
        _places.ForEach(place => parts += Mark(place, parts + 1));
        return routes;
    }

    /// <summary>Gives everything that hangs together one number; 1 where that is new.</summary>
    private static int Mark(Place start, int part)
    {
        var open = new Stack<Place>([start]);
        var isNew = start.Part == 0;
        while (open.TryPop(out var place))
        {
            if (place.Part == 0)
            {
                place.Part = part;
                foreach (var near in place.Above.Concat(place.Below))
                {
                    open.Push(near);
                }
            }
        }

        return isNew ? 1 : 0;
    }

    /// <summary>Neighbours' mean places, down and up in turn, leave few crossings; what does not hang together stands side by side, in every layer in the same order.</summary>
    private void Order()
    {
        Number();
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            var isDown = sweep % 2 == 0;
            foreach (var layer in isDown ? _layers : _layers.AsEnumerable().Reverse())
            {
                foreach (var place in layer)
                {
                    var near = isDown ? place.Above : place.Below;
                    place.Wish = near.Count == 0 ? place.Index : near.Average(other => (double)other.Index);
                }

                var sorted = layer.OrderBy(place => place.Part).ThenBy(place => place.Wish).ThenBy(place => place.Index).ToArray();
                layer.Clear();
                layer.AddRange(sorted);
                for (var i = 0; i < layer.Count; i++)
                {
                    layer[i].Index = i;
                }
            }
        }
    }

    private void Number()
    {
        foreach (var layer in _layers)
        {
            for (var i = 0; i < layer.Count; i++)
            {
                layer[i].Index = i;
            }
        }
    }

    /// <summary>Everything goes towards the middle of its neighbours, as far as the order leaves room: boxes towards boxes, and long edges beside them.</summary>
    private void Straighten()
    {
        foreach (var layer in _layers)
        {
            var x = 0.0;
            foreach (var place in layer)
            {
                place.X = x + (place.Width / 2);
                x += place.Width + _gap;
            }
        }

        for (var sweep = 0; sweep < 4 * Sweeps; sweep++)
        {
            foreach (var layer in sweep % 2 == 0 ? _layers : _layers.AsEnumerable().Reverse())
            {
                foreach (var place in layer)
                {
                    var near = sweep % 4 == 3 ? [.. place.Above, .. place.Below] : sweep % 2 == 0 ? place.Above : place.Below;
                    place.Wish = near.Where(other => other.IsBox).Select(other => other.X).DefaultIfEmpty(near.Count == 0 ? place.X : near.Average(other => other.X)).Average();
                }

                Settle(layer);
            }
        }
    }

    /// <summary>The wished places, moved apart: for boxes the mean of pushing to the right and pushing to the left; edges go where boxes leave room for them.</summary>
    private void Settle(List<Place> layer)
    {
        // Where places would stand if all stood as close as they may.
        var close = new double[layer.Count];
        for (var i = 1; i < layer.Count; i++)
        {
            close[i] = close[i - 1] + Room(layer[i - 1], layer[i]);
        }

        int[] boxes = [.. Enumerable.Range(0, layer.Count).Where(i => layer[i].IsBox)];
        var (right, left) = (double.NegativeInfinity, double.PositiveInfinity);
        var pushed = boxes.Select(i => right = Math.Max(layer[i].Wish - close[i], right)).ToArray();
        for (var k = boxes.Length - 1; k >= 0; k--)
        {
            var place = layer[boxes[k]];
            left = Math.Min(place.Wish - close[boxes[k]], left);
            place.X = ((pushed[k] + left) / 2) + close[boxes[k]];
        }

        var most = double.PositiveInfinity;
        var upper = new double[layer.Count];
        for (var i = layer.Count - 1; i >= 0; i--)
        {
            most = layer[i].IsBox ? layer[i].X - close[i] : most;
            upper[i] = most + close[i];
        }

        for (var i = 0; i < layer.Count; i++)
        {
            if (!layer[i].IsBox)
            {
                var lower = i == 0 ? double.NegativeInfinity : layer[i - 1].X + Room(layer[i - 1], layer[i]);
                layer[i].X = Math.Min(Math.Max(layer[i].Wish, lower), upper[i]);
            }
        }
    }

    private double Room(Place a, Place b) => ((a.Width + b.Width) / 2) + _gap;

    private (IReadOnlyList<(double X, double Y)> Boxes, IReadOnlyList<IReadOnlyList<(double X, double Y)>> Edges, double Width, double Height) Finish(
        List<List<Place>> routes, double layerGap)
    {
        var y = 0.0;
        foreach (var layer in _layers)
        {
            var height = layer.Max(place => place.Height);
            layer.ForEach(place => (place.Y, place.Room) = (y + (height / 2), height));
            y += height + layerGap;
        }

        var first = _places.Count == 0 ? 0 : _places.Min(place => place.X - (place.Width / 2));
        _places.ForEach(place => place.X -= first);
        var width = _places.Count == 0 ? 0 : _places.Max(place => place.X + (place.Width / 2));
        IReadOnlyList<(double X, double Y)> Points(List<Place> route) =>
        [
            (route[0].X, route[0].Y + (route[0].Height / 2)),
            .. route.Skip(1).SkipLast(1).SelectMany(place => new[] { (place.X, place.Y - (place.Room / 2)), (place.X, place.Y + (place.Room / 2)) }),
            (route[^1].X, route[^1].Y - (route[^1].Height / 2)),
        ];
        return ([.. _places.Where(place => place.IsBox).Select(place => (place.X, place.Y))], [.. routes.Select(Points)], width, Math.Max(0, y - layerGap));
    }

    private sealed class Place
    {
        public double Width { get; init; }

        public double Height { get; init; }

        /// <summary>Whether it is a box, not the place of an edge that passes.</summary>
        public bool IsBox => Height > 0;

        public int Layer { get; set; }

        public int Part { get; set; }

        public int Index { get; set; }

        public double X { get; set; }

        public double Y { get; set; }

        /// <summary>Height of its layer.</summary>
        public double Room { get; set; }

        public double Wish { get; set; }

        public List<Place> Above { get; } = [];

        public List<Place> Below { get; } = [];
    }
}
