// Draws the field. All lengths of the contract are per cent of it.

const PADDLE = { width: 3.3, height: 25 };
const BALL = { width: 3.3, height: 5 };

/** @param {HTMLCanvasElement} canvas */
export function draw(canvas, { p1Y, p2Y, ballX, ballY }) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.fillStyle = "#123";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "#fff";
  const box = (x, y, size) =>
    context.fillRect(
      (x / 100) * width,
      (y / 100) * height,
      (size.width / 100) * width,
      (size.height / 100) * height,
    );
  box(0, p1Y, PADDLE);
  box(100 - PADDLE.width, p2Y, PADDLE);
  if (ballX !== undefined) box(ballX, ballY, BALL);
}
